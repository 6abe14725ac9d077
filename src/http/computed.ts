// Which requests are answered by a model, told from their path alone: this is on the hot path.

const start = '/v1/models/'.length;

/** @returns the model of `/v1/models/NAME/…predict` and `/v2/models/NAME/…infer`; undefined for any other path */
export function findComputedModel(pathname: string): string | undefined {
  const isTask = pathname.endsWith('/predict') && pathname.startsWith('/v1/models/');
  if (!isTask && !(pathname.endsWith('/infer') && pathname.startsWith('/v2/models/'))) return undefined;
  // Only what was answered is asked about, so the name is one of a model: none needs to be decoded.
  const end = pathname.indexOf('/', start);
  return end < 0 ? undefined : pathname.slice(start, end);
}
