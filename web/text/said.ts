// What the server's rooms say of themselves, in Chinese: they speak English and know nothing of pages, so their sentences are
// looked up by pattern. What is not in the tables stays English.
import { accessSaid } from './said/access.ts';
import { decisionSaid } from './said/decisions.ts';
import { inferenceSaid } from './said/inference.ts';
import { machineSaid } from './said/machine.ts';
import { modelSaid } from './said/models.ts';
import { releaseSaid } from './said/release.ts';
import { settingSaid } from './said/settings.ts';
import { sourceSaid } from './said/source.ts';

/** `{name}` stands for whatever is there; a value that is a sentence of the tables is translated too. */
export type Said = readonly (readonly [english: string, chinese: string])[];

export const said: Said = [
  ...accessSaid,
  ...modelSaid,
  ...inferenceSaid,
  ...decisionSaid,
  ...machineSaid,
  ...releaseSaid,
  ...settingSaid,
  ...sourceSaid,
];

interface Pattern {
  form: RegExp;
  /** What stands between the placeholders. */
  literals: string[];
  chinese: string;
  names: string[];
  /** Letters that are not a placeholder's: of two patterns that fit, the one that says more counts. */
  weight: number;
  /** It only joins others, so all that it joins must be in the tables. */
  isGlue: boolean;
}

interface Found {
  text: string;
  /** 0: nothing of it is in the tables. */
  weight: number;
}

const mostKept = 2000;
/** Nobody reads on, and each sentence more costs twice the time. */
const longest = 700;

/** @returns finds the Chinese for an English text: a sentence, several, or a message and its hint */
export function createInterpreter(pairs: Said): (text: string) => Found {
  const plain = new Map(pairs.filter(([english]) => !english.includes('{')));
  const patterns = pairs.filter(([english]) => english.includes('{')).map(compile);
  const kept = new Map<string, Found>();

  function whole(text: string): Found | undefined {
    const exact = plain.get(text);
    if (exact !== undefined) return { text: exact, weight: text.length };
    let best: Found | undefined;
    for (const { form, literals, chinese, names, weight, isGlue } of patterns) {
      // Far cheaper than the pattern, and mostly the end of it.
      if (!text.startsWith(literals[0]!) || !text.endsWith(literals.at(-1)!)) continue;
      if (!literals.every((literal) => text.includes(literal))) continue;
      const match = form.exec(text);
      if (!match) continue;
      const values = new Map(names.map((name, i) => [name, find(match[i + 1]!)]));
      if (isGlue && [...values.values()].some((value) => value.weight === 0)) continue;
      const all = [...values.values()].reduce((sum, value) => sum + value.weight, weight);
      if (best && best.weight >= all) continue;
      best = { text: chinese.replaceAll(/\{(\w+)\}/g, (_, name: string) => values.get(name)!.text), weight: all };
    }
    // Rooms leave the full stop to whoever puts reasons together.
    const bare = text.endsWith('.') ? whole(text.slice(0, -1)) : undefined;
    return bare && bare.weight > (best?.weight ?? 0) ? { ...bare, text: `${bare.text}。` } : best;
  }

  function search(text: string): Found {
    let best = whole(text) ?? { text, weight: 0 };
    for (const { 0: gap, index } of text.matchAll(/(?<=[.!?…]) |; /g)) {
      const [left, right] = [whole(text.slice(0, index)), find(text.slice(index + gap.length))];
      const weight = (left?.weight ?? 0) + right.weight;
      // Of equals: what is two sentences is no value in one.
      if (weight === 0 || weight < best.weight) continue;
      // Between Chinese sentences there is no space.
      const isChinese = left !== undefined && right.weight > 0;
      const between = isChinese ? (gap === ' ' ? '' : '；') : gap;
      best = { text: (left?.text ?? text.slice(0, index)) + between + right.text, weight };
    }
    return best;
  }

  function find(text: string): Found {
    const known = kept.get(text);
    if (known) return known;
    const found = text.length > longest ? { text, weight: 0 } : search(text);
    if (kept.size >= mostKept) kept.clear();
    kept.set(text, found);
    return found;
  }

  return find;
}

function compile([english, chinese]: Said[number]): Pattern {
  const names = [...english.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const literals = english.split(/\{\w+\}/);
  const escaped = literals.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return {
    form: new RegExp(`^${escaped.join('([^]+?)')}$`),
    literals,
    chinese,
    names,
    weight: english.replaceAll(/\{\w+\}/g, '').length,
    isGlue: /^[\s,;]*(and)?[\s,;]*$/.test(literals.join('')),
  };
}
