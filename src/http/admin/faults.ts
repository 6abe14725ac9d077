// Reads numbers out of forms, and puts what was refused beside the field that it is about.
import type { Text } from '../../../web/text/text.ts';
import type { FormState } from '../../../web/view-types.ts';
import { AppError } from '../../error.ts';
import { withError } from './entry.ts';

/**
 * A message that begins with the path of a field, such as "rollout.steps[1].percent must be …", goes to that field.
 * @param fieldOf the form's name of a path; undefined for what has no field
 * @throws what is no fault of the form
 */
export function withFault(
  state: FormState,
  error: unknown,
  fieldOf: (path: string) => string | undefined,
  t: Text,
): FormState {
  if (error instanceof AppError && error.code === 'invalid') {
    const [, path = '', colon = ''] = /^([A-Za-z]\w*(?:\.\w+|\[\d+\])*)(:?) /.exec(error.message) ?? [];
    const field = path === '' ? undefined : fieldOf(path);
    if (field !== undefined) {
      const told = t.said(`${error.message} ${error.hint ?? ''}`.trim());
      // The name of the field stands above it.
      const rest = told.startsWith(path) ? told.slice(path.length).replace(/^:?\s*/, '') : told;
      const words = colon !== '' || /^(?:must|cannot|has|须|不能) ?/.test(rest) ? capitalised(rest) : told;
      return { ...state, errors: { ...state.errors, [field]: words } };
    }
  }
  return withError(state, error);
}

const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export type NumberReader = ReturnType<typeof createNumbers>;

/** Numbers of a form; what is none is noted as a fault, in the reader's language. */
export function createNumbers(form: ReadonlyMap<string, string>, state: FormState, t: Text) {
  const text = (name: string) => (form.get(name) ?? '').trim();

  function number(name: string): number {
    const value = /^\d{1,15}(\.\d{1,15})?$/.test(text(name)) ? Number(text(name)) : Number.NaN;
    if (Number.isNaN(value)) state.errors[name] ??= t('form.notNumber');
    return value;
  }

  function whole(name: string): number {
    const value = number(name);
    if (!Number.isNaN(value) && !Number.isInteger(value)) state.errors[name] ??= t('form.notWhole');
    return value;
  }

  return {
    text,
    number,
    whole,
    /** null for nothing. */
    optional: (name: string) => (text(name) === '' ? null : number(name)),
    optionalWhole: (name: string) => (text(name) === '' ? null : whole(name)),
    /** Minutes as milliseconds. */
    minutes: (name: string) => Math.round(number(name) * 60_000),
    /** The ends of names such as "device.GPU-0" of what is ticked; null for none. */
    ticked(prefix: string): string[] | null {
      const names = [...form].filter(([name, value]) => name.startsWith(prefix) && value === 'on');
      return names.length > 0 ? names.map(([name]) => name.slice(prefix.length)) : null;
    },
  };
}
