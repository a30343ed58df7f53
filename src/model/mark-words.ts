// One mark rule in iptables' words: of a command line, or of a line of iptables-save.
import type { Family } from './address.ts';
import { FairleadError } from './error.ts';
import { checkRule, familyOf, type MarkRule } from './mark.ts';
import { readAddressRange, readChange, readMarkMatch, readPortRange, readProtocol, readU32 } from './mark-values.ts';

type Draft = { -readonly [Name in keyof MarkRule]?: MarkRule[Name] };

interface Option {
  /** Takes its value; `isNot`: a `!` came before it. */
  read(draft: Draft, value: string, isNot: boolean): void;
  /** Undefined: `!` may not come before it. */
  readonly mayBeNot?: boolean;
}

/** What is told by being there, as iptables demands for some options. */
const matches = ['tcp', 'udp', 'sctp', 'multiport', 'mark', 'comment'];

function ports(side: 'sourcePorts' | 'targetPorts', isMany: boolean): Option {
  return {
    mayBeNot: true,
    read: (draft, value, isNot) => {
      once(draft, side);
      const ranges = (isMany ? value.split(',') : [value]).map(readPortRange);
      draft[side] = { ranges, isNot };
    },
  };
}

function addresses(end: 'source' | 'target'): Option {
  return {
    mayBeNot: true,
    read: (draft, value, isNot) => {
      once(draft, end);
      const range = readAddressRange(value);
      // Whatever address: only its family is asked for.
      if (!isNot && range.mask.bytes.every((byte) => byte === 0)) setFamily(draft, range.address.family);
      else draft[end] = { ...range, isNot };
    },
  };
}

const change = (read: (value: string) => MarkRule['set']): Option => ({
  read: (draft, value) => {
    once(draft, 'set');
    const set = read(value);
    if (set !== undefined) draft.set = set;
  },
});

const protocol: Option = {
  mayBeNot: true,
  read: (draft, value, isNot) => {
    once(draft, 'protocol');
    const name = readProtocol(value);
    if (name === undefined && isNot) refuse('! -p all matches nothing');
    if (name !== undefined) draft.protocol = { name, isNot };
  },
};

const inInterface: Option = {
  mayBeNot: true,
  read: (draft, value, isNot) => {
    once(draft, 'interface');
    if (value === '+' && !isNot) return;
    draft.interface = { name: value, isNot };
  },
};

const markMatch: Option = {
  mayBeNot: true,
  read: (draft, value, isNot) => {
    once(draft, 'mark');
    draft.mark = { ...readMarkMatch(value), isNot };
  },
};

const module: Option = {
  read: (_, value) => {
    if (!matches.includes(value)) refuse(`the match ${JSON.stringify(value)} is not supported`);
  },
};

const target: Option = {
  read: (draft, value) => {
    if (value === 'ACCEPT' || value === 'RETURN') draft.isLast = true;
    else if (value !== 'MARK') refuse(`the target ${value} is not supported`);
  },
};

const nothing: Option = { read: () => {} };

const options: ReadonlyMap<string, Option> = new Map(
  (
    [
      [['-p', '--protocol', '--proto'], protocol],
      [['-s', '--source', '--src'], addresses('source')],
      [['-d', '--destination', '--dst'], addresses('target')],
      [['-i', '--in-interface'], inInterface],
      [['--sport', '--source-port'], ports('sourcePorts', false)],
      [['--dport', '--destination-port'], ports('targetPorts', false)],
      [['--sports', '--source-ports'], ports('sourcePorts', true)],
      [['--dports', '--destination-ports'], ports('targetPorts', true)],
      [['-m', '--match'], module],
      [['--mark'], markMatch],
      [['--comment'], nothing],
      [['-j', '--jump'], target],
      [['--set-mark'], change((text) => readChange(text, 'or'))],
      [['--set-xmark'], change((text) => readChange(text, 'xor'))],
      [['--and-mark'], change((text) => ({ value: 0, mask: ~readU32(text, 'a mark') >>> 0 }))],
      [
        ['--or-mark'],
        change((text) => {
          const bits = readU32(text, 'a mark');
          return { value: bits, mask: bits };
        }),
      ],
      [['--xor-mark'], change((text) => ({ value: readU32(text, 'a mark'), mask: 0 }))],
    ] as const
  ).flatMap(([names, option]) => names.map((name) => [name, option] as const)),
);

/** `family`: of all of the text's rules, if its words need not tell it. Throws bad-input, naming what can't be expressed. */
export function readRule(words: readonly string[], family?: Family): MarkRule {
  const draft: Draft = family === undefined ? {} : { family };
  for (let at = 0; at < words.length; ) at = readOption(draft, words, at);
  const rule: MarkRule = { ...draft, isLast: draft.isLast ?? false };
  checkRule(rule);
  const known = familyOf(rule);
  return known === undefined ? rule : { ...rule, family: known };
}

/** Returns where the next one begins. */
function readOption(draft: Draft, words: readonly string[], start: number): number {
  const isNot = words[start] === '!';
  const at = isNot ? start + 1 : start;
  // Long ones also as `--name=value`.
  const [, name = words[at] ?? '', joined] = /^(--[^=]+)=(.*)$/s.exec(words[at] ?? '') ?? [];
  if (name === '-4' || name === '--ipv4' || name === '-6' || name === '--ipv6') {
    if (isNot) refuse(`${name} may not come after !`);
    setFamily(draft, name.endsWith('4') ? 4 : 6);
    return at + 1;
  }
  const option = options.get(name);
  if (option === undefined) return refuse(`the option ${JSON.stringify(name)} is not supported`);
  if (isNot && !option.mayBeNot) refuse(`${name} may not come after !`);
  // As iptables wrote it long ago: the value may have the !.
  const value = joined ?? words[at + 1];
  if (value === undefined || value === '!')
    return refuse(`${name} needs a value${value === '!' ? ': ! comes before it' : ''}`);
  option.read(draft, value, isNot);
  return joined === undefined ? at + 2 : at + 1;
}

function setFamily(draft: Draft, family: Family): void {
  if (draft.family !== undefined && draft.family !== family) refuse('a packet has addresses of one family');
  draft.family = family;
}

function once(draft: Draft, name: keyof Draft): void {
  if (draft[name] !== undefined) refuse(`a rule has one ${said[name]}`);
}

const said: Readonly<Record<keyof MarkRule, string>> = {
  family: 'family',
  protocol: '-p',
  source: '-s',
  target: '-d',
  interface: '-i',
  sourcePorts: '--sports',
  targetPorts: '--dports',
  mark: '--mark',
  set: 'change of the mark',
  isLast: 'target',
};

function refuse(why: string): never {
  throw new FairleadError('bad-input', why);
}
