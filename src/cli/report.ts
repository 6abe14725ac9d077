// Where a command's answers and remarks go: to a person as text, to a program as JSON. What a model or a server says is
// printed without control characters, which could write anything to a person's terminal.

export interface Terminal {
  /** Columns of standard output; undefined when it is no terminal, so that nothing is cut. */
  width?: number;
  /** Columns of standard error, on which a line can be redrawn; undefined when it is no terminal. */
  errorWidth?: number;
  out: (text: string) => Promise<void>;
  err: (text: string) => void;
  /** Reads a line that a person types; undefined when nobody is there. */
  readLine?: () => Promise<string>;
}

export interface Report {
  isJson: boolean;
  terminal: Terminal;
  /** The command's answer: `text` for a person, or `json`. */
  answer(json: unknown, text: () => string): Promise<void>;
  /** A remark on standard error; left out with --json. */
  note(text: string): void;
}

export function createReport(terminal: Terminal, isJson: boolean): Report {
  return {
    isJson,
    terminal,
    answer: (json, text) => terminal.out(`${isJson ? toJson(json) : printable(text())}\n`),
    note(text) {
      if (!isJson) terminal.err(`${printable(text)}\n`);
    },
  };
}

/** Every control character but a line break is replaced. */
export function printable(text: string): string {
  return text.replaceAll('\t', ' ').replace(/[^\P{Cc}\n]/gu, '\uFFFD');
}

/** JSON.stringify leaves some control characters as they are. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /[^\P{Cc}\n]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
