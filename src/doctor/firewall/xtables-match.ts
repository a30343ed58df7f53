// What a rule of iptables asks of a packet, in nft's words: what is not known here stays an extension, of which nothing is known.
import type { Expression } from './nft-match.ts';

/** `! -s 10.0.0.0/8`. */
interface Option {
  readonly name: string;
  readonly isNot: boolean;
  readonly values: readonly string[];
}

export function readMatches(words: readonly string[], isSix: boolean): readonly Expression[] {
  return splitOptions(words).flatMap((option) => readOption(option, isSix));
}

/** All begin with `-`; only a comment may too. */
function splitOptions(words: readonly string[]): readonly Option[] {
  const starts = words.flatMap((word, at) => (word.startsWith('-') && words[at - 1] !== '--comment' ? [at] : []));
  return starts.map((start, at) => {
    const values = words.slice(start + 1, starts[at + 1]);
    // What negates the next one stands before it.
    const own = starts[at + 1] !== undefined && values.at(-1) === '!' ? values.slice(0, -1) : values;
    return { name: words[start] ?? '', isNot: words[start - 1] === '!', values: own };
  });
}

/** Modules that ask for nothing but what their options say. */
const plainModules = ['tcp', 'udp', 'sctp', 'multiport', 'state', 'conntrack', 'comment', 'icmp', 'icmp6'];

function readOption(option: Option, isSix: boolean): readonly Expression[] {
  const { name, isNot, values } = option;
  const [value = '', second = ''] = values;
  const ip = isSix ? 'ip6' : 'ip';
  const op = isNot ? '!=' : '==';
  switch (name) {
    case '--comment':
      return [];
    case '-m':
      return plainModules.includes(value) ? [] : [unknown(value)];
    case '-p':
      return [match(op, { meta: { key: 'l4proto' } }, value)];
    case '-s':
      return [ofAddress(option, payload(ip, 'saddr'), isSix)];
    case '-d':
      return [ofAddress(option, payload(ip, 'daddr'), isSix)];
    case '-i':
      return [match(op, { meta: { key: 'iifname' } }, value.replace(/\+$/, '*'))];
    case '-o':
      return [match(op, { meta: { key: 'oifname' } }, value.replace(/\+$/, '*'))];
    case '--sport':
    case '--sports':
      return [match(op, payload('th', 'sport'), toPorts(value))];
    case '--dport':
    case '--dports':
      return [match(op, payload('th', 'dport'), toPorts(value))];
    case '--ports':
      return ofEither(op, toPorts(value));
    case '--state':
    case '--ctstate':
      return [ofState(option)];
    case '--tcp-flags':
      return [match(op, { '&': [payload('tcp', 'flags'), toFlags(value)] }, toFlags(second))];
    case '--icmpv6-type':
      return [match(op, payload('icmpv6', 'type'), value === solicitation ? 'nd-neighbor-solicit' : value)];
    default:
      return [unknown(name)];
  }
}

/** Of neighbour discovery, as iptables-save writes it. */
const solicitation = '135';

function unknown(name: string): Expression {
  return { xt: { type: 'match', name } };
}

function match(op: string, left: unknown, right: unknown): Expression {
  return { match: { op, left, right } };
}

function payload(protocol: string, field: string): Expression {
  return { payload: { protocol, field } };
}

/** A mask that is no prefix is not known. */
function ofAddress({ name, isNot, values: [value = ''] }: Option, left: Expression, isSix: boolean): Expression {
  const [addr, length = isSix ? '128' : '32'] = value.split('/');
  if (!/^\d+$/.test(length)) return unknown(name);
  return match(isNot ? '!=' : '==', left, { prefix: { addr, len: Number(length) } });
}

/** `80,443,1000:2000`. */
function toPorts(text: string): Expression {
  return {
    set: text.split(',').map((part) => {
      const [from, to] = part.split(':').map(Number);
      return to === undefined ? from : { range: [from, to] };
    }),
  };
}

/** One of both, or neither. */
function ofEither(op: string, ports: Expression): readonly Expression[] {
  const both = [match(op, payload('th', 'sport'), ports), match(op, payload('th', 'dport'), ports)];
  return op === '!=' ? both : [{ anyOf: both }];
}

/** What addresses were before they were translated is not known. */
function ofState({ name, isNot, values: [value = ''] }: Option): Expression {
  const states = value.toLowerCase().split(',');
  if (states.includes('snat') || states.includes('dnat')) return unknown(name);
  return match(isNot ? '!=' : 'in', { ct: { key: 'state' } }, states);
}

/** `FIN,SYN`, `ALL` or `NONE`. */
function toFlags(text: string): readonly string[] {
  if (text === 'NONE') return [];
  if (text === 'ALL') return ['fin', 'syn', 'rst', 'psh', 'ack', 'urg'];
  return text.toLowerCase().split(',');
}
