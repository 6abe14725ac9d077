// What the screens say: every string in English and Simplified Chinese, looked up by key, and numbers, sizes and times
// written as each language does. Knows no HTML: what it returns is escaped where it is used.
import { accessTexts } from './access.ts';
import { endpointTexts } from './endpoint.ts';
import { machineTexts } from './machine.ts';
import { modelTexts } from './models.ts';
import { notifyTexts } from './notify.ts';
import { releaseTexts } from './release.ts';
import { createInterpreter, said } from './said.ts';
import { shellTexts } from './shell.ts';
import { systemTexts } from './system.ts';

/**
 * English first, Simplified Chinese second. `{name}` stands for a value. English with a `|` is singular and plural,
 * chosen by the value `count`.
 */
export type Pair = readonly [english: string, chinese: string];

export const texts = {
  ...shellTexts,
  ...accessTexts,
  ...systemTexts,
  ...machineTexts,
  ...modelTexts,
  ...notifyTexts,
  ...releaseTexts,
  ...endpointTexts,
} as const;

export const languages = ['en', 'zh'] as const;
export type Language = (typeof languages)[number];
export type TextKey = keyof typeof texts;

type Names<S extends string> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type Values<K extends TextKey> = [Names<(typeof texts)[K][0]>] extends [never]
  ? []
  : [values: Record<Names<(typeof texts)[K][0]>, string | number>];

export interface Text {
  /** The string of a key with its values put in; numbers are written as the language writes them. */
  <K extends TextKey>(key: K, ...values: Values<K>): string;
  language: Language;
  /**
   * What a room of the server said, in English, in this language; unchanged where it is not in the tables.
   * @see isSaid
   */
  said(english: string): string;
  /** Whether `said` has words of this language for it. */
  isSaid(english: string): boolean;
  /** For the attribute `lang`. */
  tag: string;
  /** @param digits most digits after the point */
  number(value: number, digits?: number): string;
  /** In powers of 1024: "12.4 GiB". */
  bytes(bytes: number): string;
  /** @param share 0…1 */
  percent(share: number, digits?: number): string;
  /** In the two largest units that matter: "12.3 ms", "4 hr, 2 min". */
  duration(ms: number): string;
  /** "3 minutes ago", "in 2 days". */
  relative(atMs: number, nowMs: number): string;
  date(atMs: number): string;
  /** Date and time to the second. */
  time(atMs: number): string;
}

const interpret = createInterpreter(said);

/** As browsers and the users' preferences name them. */
export const languageTags = { en: 'en', zh: 'zh-CN' } as const satisfies Record<Language, string>;

/** @param timeZone IANA name; absent: that of the server */
export function translate(language: Language, timeZone?: string): Text {
  const tag = languageTags[language];
  const column = languages.indexOf(language);
  const plurals = new Intl.PluralRules(tag);
  const formats = createFormats(tag, timeZone);
  const lookUp = (key: TextKey, values: Record<string, string | number> = {}) => {
    const [one = '', many = one] = texts[key][column]!.split('|');
    const pattern = typeof values.count === 'number' && plurals.select(values.count) !== 'one' ? many : one;
    return pattern.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name];
      return typeof value === 'number' ? formats.number(value) : (value ?? '');
    });
  };
  const ownWords: Pick<Text, 'said' | 'isSaid'> =
    language === 'zh'
      ? { said: (english) => interpret(english).text, isSaid: (english) => interpret(english).weight > 0 }
      : { said: (english) => english, isSaid: () => true };
  return Object.assign(lookUp as Text, { language, tag, ...formats, ...ownWords });
}

type Formats = Pick<Text, 'number' | 'bytes' | 'percent' | 'duration' | 'relative' | 'date' | 'time'>;

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const relativeUnits: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];

function createFormats(tag: string, timeZone: string | undefined): Formats {
  const number = (value: number, digits = 2) => value.toLocaleString(tag, { maximumFractionDigits: digits });
  const relative = new Intl.RelativeTimeFormat(tag, { numeric: 'auto', style: 'short' });
  const long = new Intl.DurationFormat(tag, { style: 'short' });
  const date = new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeZone });
  const time = new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23', timeZone });
  return {
    number,
    bytes(bytes) {
      const power = Math.min(byteUnits.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
      const value = bytes / 1024 ** power;
      return `${number(value, power === 0 || value >= 100 ? 0 : 1)} ${byteUnits[power]}`;
    },
    percent: (share, digits = 0) => share.toLocaleString(tag, { style: 'percent', maximumFractionDigits: digits }),
    duration(ms) {
      if (ms < 60_000) {
        const [value, unit] = ms < 1000 ? [ms, 'millisecond'] : [ms / 1000, 'second'];
        return value.toLocaleString(tag, { style: 'unit', unit, unitDisplay: 'short', maximumSignificantDigits: 3 });
      }
      const minutes = Math.floor(ms / 60_000);
      const days = Math.floor(minutes / 1440);
      const hours = Math.floor((minutes % 1440) / 60);
      return long.format(days > 0 ? { days, hours } : { hours, minutes: minutes % 60 });
    },
    relative(atMs, nowMs) {
      const past = atMs - nowMs;
      const [unit, size] = relativeUnits.find(([, size]) => Math.abs(past) >= size) ?? ['second', 1000];
      return relative.format(Math.trunc(past / size), unit);
    },
    date: (atMs) => date.format(atMs),
    time: (atMs) => time.format(atMs),
  };
}

/**
 * The user's own choice, or the first language of the browser that there is a table for.
 * @param acceptLanguage the header as it came: not to be trusted
 */
export function pickLanguage(acceptLanguage: string | null | undefined, preference?: string | null): Language {
  const chosen = findLanguage(preference ?? '');
  if (chosen) return chosen;
  const wanted = (acceptLanguage ?? '')
    .slice(0, 200)
    .split(',')
    .map((part) => {
      const [tag = '', quality] = part.trim().toLowerCase().split(';q=');
      return { tag, quality: quality === undefined ? 1 : Number(quality) || 0 };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
  for (const { tag } of wanted) {
    const found = findLanguage(tag);
    if (found) return found;
  }
  return 'en';
}

/** @param tag "zh", "zh-CN", "en-GB" … */
function findLanguage(tag: string): Language | undefined {
  return languages.find((language) => tag === language || tag.startsWith(`${language}-`));
}
