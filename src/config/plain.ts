// YAML's plain part, read twenty times as quickly as all of it: large configurations are made by programs, and need no more.

/** Thrown for whatever is not plain, right or wrong: the library then reads the whole and says what it is. */
class NotPlain extends Error {}

/** Undefined: it is not plain. Otherwise the same as the yaml library makes of it. */
export function parsePlain(text: string): unknown {
  if (/[\t\r\ufeff]/.test(text)) return undefined;
  const lines = text.split('\n');
  try {
    return new Reader(lines).document();
  } catch (error) {
    if (error instanceof NotPlain || error instanceof RangeError) return undefined;
    throw error;
  }
}

const key = /([A-Za-z_][A-Za-z0-9_.-]*):(?: +|$)/y;
const double = /"([^"\\]*)"/y;
const single = /'([^']*)'(?!')/y;
const blockWord = /[^\s#&*!|>'"@`]+/y;
const flowWord = /[^\s,[\]{}#&*!|>'"%@`]+/y;
/** Of a line, after a value. */
const rest = /(?: *| +#.*)$/y;
const ipv4 = /^\d+(?:\.\d+){3}(?::\d+)?(?:\/\d+)?$/;
const digits = /^\d{1,15}$/;
const duration = /^\d+(?:ms|s|m|h|d|%)$/;
const wordCharacters = /^[A-Za-z_/][A-Za-z0-9_/.+-]*$/;
/** What YAML makes something else of. */
const resolved = /^(?:null|true|false)$/i;

class Reader {
  readonly #lines: string[];
  #at = 0;

  constructor(lines: string[]) {
    this.#lines = lines;
  }

  document(): unknown {
    if (this.#next() === 0 && this.#line() === '---') this.#at++;
    const indent = this.#next();
    if (indent < 0) throw new NotPlain();
    const value = this.#block(indent);
    if (this.#next() >= 0) throw new NotPlain();
    return value;
  }

  /** The indent of the next line that says something, which is the current one then; -1 at the end. */
  #next(): number {
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#line();
      const indent = indentOf(line);
      if (indent < line.length && line[indent] !== '#') return indent;
    }
    return -1;
  }

  #line(): string {
    return this.#lines[this.#at] ?? '';
  }

  #block(indent: number): unknown {
    return isItem(this.#line(), indent) ? this.#list(indent) : this.#mapping(indent);
  }

  #list(indent: number): unknown[] {
    const items: unknown[] = [];
    while (this.#next() === indent && isItem(this.#line(), indent)) items.push(this.#item(indent));
    if (this.#next() > indent) throw new NotPlain();
    return items;
  }

  #item(indent: number): unknown {
    const line = this.#line();
    const start = indent + 1 + indentOf(line.slice(indent + 1));
    if (start >= line.length) return this.#below(indent);
    key.lastIndex = start;
    if (!key.test(line) && !isItem(line, start)) return this.#inline(start);
    // The rest is the first line of a block of its own.
    this.#lines[this.#at] = ' '.repeat(start) + line.slice(start);
    return this.#block(start);
  }

  #mapping(indent: number): object {
    const mapping: Record<string, unknown> = {};
    while (this.#next() === indent) {
      const line = this.#line();
      key.lastIndex = indent;
      const name = key.exec(line)?.[1];
      if (name === undefined || resolved.test(name) || name === '__proto__' || name in mapping) throw new NotPlain();
      const start = key.lastIndex;
      if (start < line.length && line[start] !== '#') mapping[name] = this.#inline(start);
      else mapping[name] = this.#below(indent, true);
    }
    if (this.#next() > indent) throw new NotPlain();
    return mapping;
  }

  /** What stands below a key or a dash that has nothing behind it. */
  #below(indent: number, mayBeLevel = false): unknown {
    this.#at++;
    const below = this.#next();
    const isLevel = mayBeLevel && below === indent && isItem(this.#line(), indent);
    return below > indent || isLevel ? this.#block(below) : null;
  }

  /** A value that ends with its line. */
  #inline(start: number): unknown {
    const inline = new Inline(this.#line(), start);
    const value = inline.value(false);
    inline.end();
    this.#at++;
    return value;
  }
}

class Inline {
  readonly #text: string;
  #at: number;

  constructor(text: string, start: number) {
    this.#text = text;
    this.#at = start;
  }

  value(isInFlow: boolean): unknown {
    switch (this.#text[this.#at]) {
      case '[':
        return this.#flowList();
      case '{':
        return this.#flowMapping();
      case '"':
        return this.#quoted(double);
      case "'":
        return this.#quoted(single);
      default:
        return this.#scalar(isInFlow);
    }
  }

  end(): void {
    rest.lastIndex = this.#at;
    if (!rest.test(this.#text)) throw new NotPlain();
  }

  #scalar(isInFlow: boolean): unknown {
    const pattern = isInFlow ? flowWord : blockWord;
    pattern.lastIndex = this.#at;
    const word = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += word.length;
    if (digits.test(word)) return Number(word);
    if (word === 'true' || word === 'false') return word === 'true';
    if (ipv4.test(word) || duration.test(word) || (wordCharacters.test(word) && !resolved.test(word))) return word;
    throw new NotPlain();
  }

  #quoted(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) throw new NotPlain();
    this.#at = pattern.lastIndex;
    return found[1] ?? '';
  }

  #flowList(): unknown[] {
    const items: unknown[] = [];
    this.#flow(']', () => items.push(this.value(true)));
    return items;
  }

  #flowMapping(): object {
    const mapping: Record<string, unknown> = {};
    this.#flow('}', () => {
      key.lastIndex = this.#at;
      const name = key.exec(this.#text)?.[1];
      if (name === undefined || resolved.test(name) || name === '__proto__' || name in mapping) throw new NotPlain();
      this.#at = key.lastIndex;
      mapping[name] = this.value(true);
    });
    return mapping;
  }

  /** All items up to `close`. */
  #flow(close: string, item: () => void): void {
    this.#at++;
    this.#blanks();
    while (this.#text[this.#at] !== close) {
      item();
      this.#blanks();
      if (this.#text[this.#at] === ',') this.#at++;
      else if (this.#text[this.#at] !== close) throw new NotPlain();
      this.#blanks();
    }
    this.#at++;
  }

  #blanks(): void {
    while (this.#text[this.#at] === ' ') this.#at++;
  }
}

function indentOf(line: string): number {
  let indent = 0;
  while (line[indent] === ' ') indent++;
  return indent;
}

function isItem(line: string, start: number): boolean {
  return line[start] === '-' && (line[start + 1] === ' ' || start + 1 === line.length);
}
