// The text of `nft list ruleset` taken apart: tables, their chains, and each rule's words with the line where it stands.

export interface Word {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** A set in braces, each element's words joined. */
export type Item = Word | readonly string[];

export interface NftRule {
  readonly line: number;
  readonly items: readonly Item[];
}

export interface NftChain {
  /** Of its table: ip, ip6, inet, bridge, netdev, arp. */
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** undefined: it is only jumped to. */
  readonly hook?: string;
  readonly priority: number;
  readonly policy: string;
  readonly line: number;
  readonly rules: readonly NftRule[];
}

interface Token extends Word {
  readonly line: number;
}

/** Source: nftables' std_prios. */
const priorities: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
};

export function isNftRuleset(text: string): boolean {
  return /^\s*table\s+\S+.*\{/m.test(text);
}

export function readChains(text: string): readonly NftChain[] {
  const tokens = tokenize(text);
  const chains: NftChain[] = [];
  for (const table of blocksIn(tokens)) {
    const words = table.head.map((word) => word.text);
    const at = words.indexOf('table');
    if (at < 0) continue;
    const [family = 'ip', name = ''] = words.length - at > 2 ? words.slice(at + 1) : ['ip', words[at + 1] ?? ''];
    for (const { head, body } of blocksIn(table.body)) {
      if (head[0]?.text !== 'chain') continue;
      chains.push(readChain({ family, table: name, name: head[1]?.text ?? '', line: head[0].line }, body));
    }
  }
  return chains;
}

function readChain(facts: Pick<NftChain, 'family' | 'table' | 'name' | 'line'>, body: readonly Token[]): NftChain {
  const rules: NftRule[] = [];
  let base: Partial<Pick<NftChain, 'hook' | 'priority' | 'policy'>> = {};
  for (const statement of statementsOf(body)) {
    const [first] = statement;
    const words = statement.map(({ text }) => text);
    if (first === undefined) continue;
    if (first.text === 'type' && words.includes('hook')) {
      base = { ...base, hook: words[words.indexOf('hook') + 1] ?? '', priority: readPriority(words) };
    } else if (first.text === 'policy') base = { ...base, policy: words[1] ?? '' };
    else if (first.text !== 'comment' && first.text !== 'flags' && first.text !== 'devices') {
      rules.push({ line: first.line, items: itemsOf(statement) });
    }
  }
  return { ...facts, priority: 0, policy: 'accept', ...base, rules };
}

/** `mangle`, `-150`, `mangle + 5`. */
function readPriority(words: readonly string[]): number {
  const [name = '', sign, more] = words.slice(words.indexOf('priority') + 1);
  const start = priorities[name] ?? Number(name);
  return sign === '+' || sign === '-' ? start + Number(`${sign}${more}`) : start;
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    for (const [found, quoted] of line.matchAll(/"((?:[^"\\]|\\.)*)"|#.*|[{};,]|[^\s{};,"#]+/g)) {
      if (found.startsWith('#')) continue;
      tokens.push({ text: quoted ?? found, isQuoted: quoted !== undefined, line: index + 1 });
    }
    tokens.push({ text: '\n', isQuoted: false, line: index + 1 });
  }
  return tokens;
}

interface Block {
  readonly head: readonly Token[];
  readonly body: readonly Token[];
}

function is(token: Token, text: string): boolean {
  return !token.isQuoted && token.text === text;
}

/** `head { body }`, one after another; what has no braces is left out. */
function* blocksIn(tokens: readonly Token[]): Generator<Block> {
  let head: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) return;
    if (is(token, '\n') || is(token, ';')) head = [];
    else if (!is(token, '{')) head.push(token);
    else {
      const end = endOf(tokens, at);
      yield { head, body: tokens.slice(at + 1, end) };
      head = [];
      at = end;
    }
  }
}

/** Where the brace at `start` closes. */
function endOf(tokens: readonly Token[], start: number): number {
  let depth = 0;
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    if (is(token, '{')) depth++;
    else if (is(token, '}') && --depth === 0) return at;
  }
  return tokens.length;
}

/** They end with a line or a semicolon, but not within braces. */
function* statementsOf(body: readonly Token[]): Generator<readonly Token[]> {
  let statement: Token[] = [];
  let depth = 0;
  for (const token of body) {
    if (is(token, '{')) depth++;
    if (is(token, '}')) depth--;
    if (depth === 0 && (is(token, '\n') || is(token, ';'))) {
      if (statement.length > 0) yield statement;
      statement = [];
    } else if (!is(token, '\n')) statement.push(token);
  }
  if (statement.length > 0) yield statement;
}

function itemsOf(statement: readonly Token[]): readonly Item[] {
  const items: Item[] = [];
  for (let at = 0; at < statement.length; at++) {
    const token = statement[at];
    if (token === undefined) break;
    if (!is(token, '{')) {
      items.push({ text: token.text, isQuoted: token.isQuoted });
      continue;
    }
    const end = endOf(statement, at);
    items.push(elementsOf(statement.slice(at + 1, end)));
    at = end;
  }
  return items;
}

function elementsOf(tokens: readonly Token[]): readonly string[] {
  const elements: string[][] = [[]];
  for (const token of tokens) {
    if (is(token, ',')) elements.push([]);
    else elements.at(-1)?.push(token.text);
  }
  return elements.map((words) => words.join(' ')).filter((text) => text !== '');
}
