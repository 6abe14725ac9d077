// What an address of mail may be. Pure.
import { AppError } from '../error.ts';

const longest = 254;
/** One plain address: no name before it, no list, nothing that a header could take for its end. */
const form =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/;

/** @returns undefined for an empty text. @throws AppError invalid */
export function checkEmail(text: string): string | undefined {
  const address = text.trim();
  if (address === '') return undefined;
  if (address.length <= longest && form.test(address)) return address;
  throw new AppError('invalid', `'${text.slice(0, 80)}' is no mail address.`, "Write it as 'name@host'.");
}
