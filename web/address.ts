// Addresses with a query: values are encoded, empty ones are left out.

export function address(path: string, query: Record<string, string | number | undefined>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const written = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return written === '' ? path : `${path}?${written}`;
}
