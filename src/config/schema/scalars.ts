// The values of a configuration that are one word: addresses, times, ports and the like, each with what it is called in an error.
import { z } from 'zod';
import { type Address, readAddress } from '../../model/address.ts';
import type { NumberRange } from '../../model/check.ts';
import { prefixLength, prefixMask } from '../../model/mark.ts';

/** A text that is read into something else; `examples` for editors. */
export function word<Value>(expected: string, examples: readonly string[], read: (text: string) => Value | undefined) {
  return z
    .string({ error: `expected ${expected}` })
    .meta({ description: expected, examples: [...examples] })
    .transform((text, context): Value => {
      const value = read(text);
      if (value !== undefined) return value;
      context.issues.push({ code: 'custom', message: `expected ${expected}`, input: text });
      return z.NEVER;
    });
}

export function text(expected: string) {
  return z.string({ error: `expected ${expected}` }).min(1, { error: `expected ${expected}` });
}

export function integer(expected: string, least: number, most: number) {
  const error = `expected ${expected} from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

export function choice<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words);
}

export const truth = z.boolean({ error: 'expected true or false' });

export const port = integer('a port', 1, 65535);
export const anyPort = integer('a port', 0, 65535);
export const weight = integer('a weight', 0, 2 ** 31 - 1);
export const threshold = integer('a number of connections', 0, 2 ** 32 - 1);
export const mark = integer('a mark', 1, 2 ** 32 - 1);

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds. */
export function readDuration(written: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(written) ?? [];
  const milliseconds = Math.round(Number(digits) * (units[unit] ?? Number.NaN));
  return digits !== '' && Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** The shortest way to write it. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return '0s';
  const [unit = 'ms', length = 1] =
    Object.entries(units)
      .reverse()
      .find(([, one]) => milliseconds % one === 0) ?? [];
  return `${milliseconds / length}${unit}`;
}

/** Milliseconds, from `least` to `most` of them. */
export function duration(least: number, most: number) {
  const expected = `a time from ${formatDuration(least)} to ${formatDuration(most)}, with its unit`;
  return word(expected, ['500ms', '2s', '5m'], (written) => {
    const value = readDuration(written);
    return value === undefined || value < least || value > most ? undefined : value;
  });
}

export const longestMs = 31 * 86_400_000;

/** Whole seconds, as IPVS has them. */
export function seconds(least: number, most: number) {
  const expected = `a time in whole seconds from ${formatDuration(least * 1000)} to ${formatDuration(most * 1000)}, with its unit`;
  return word(expected, ['90s', '5m'], (written) => {
    const value = (readDuration(written) ?? Number.NaN) / 1000;
    return Number.isInteger(value) && value >= least && value <= most ? value : undefined;
  });
}

export const address = word('an IPv4 or IPv6 address', ['192.0.2.10', '2001:db8::10'], readAddress);

export interface WrittenEndpoint {
  readonly address: Address;
  readonly port: number | undefined;
}

/** `10.0.0.1:80`, `[fd00::1]:80`, and either without a port. */
export function readEndpoint(written: string): WrittenEndpoint | undefined {
  const colon = written.lastIndexOf(':');
  // Without a colon, or with several and no bracket, it is an address alone.
  if (colon < 0 || (!written.startsWith('[') && written.indexOf(':') !== colon)) {
    const alone = readAddress(written);
    return alone && { address: alone, port: undefined };
  }
  const [host, digits] = [written.slice(0, colon), written.slice(colon + 1)];
  const isSix = host.startsWith('[') && host.endsWith(']');
  const found = readAddress(isSix ? host.slice(1, -1) : host);
  if (found?.family !== (isSix ? 6 : 4) || !/^(0|[1-9]\d{0,4})$/.test(digits) || Number(digits) > 65535)
    return undefined;
  return { address: found, port: Number(digits) };
}

export const virtualEndpoint = word(
  'a VIP and its port, as 192.0.2.10:80 or [2001:db8::10]:80',
  ['192.0.2.10:80', '[2001:db8::10]:80'],
  (written) => {
    const found = readEndpoint(written);
    return found?.port === undefined ? undefined : { address: found.address, port: found.port };
  },
);

export const realEndpoint = word(
  "a real server's address, with or without a port, as 10.1.0.1:8080 or [fd00::1]:8080",
  ['10.1.0.1:8080', '10.1.0.1', '[fd00::1]:8080'],
  readEndpoint,
);

export const listenEndpoint = word(
  'an address and a port to listen at, as 127.0.0.1:9090',
  ['127.0.0.1:9090', '[::]:9090'],
  (written) => {
    const found = readEndpoint(written);
    return found?.port === undefined || found.port === 0 ? undefined : { address: found.address, port: found.port };
  },
);

export interface WrittenPrefix {
  readonly address: Address;
  readonly length: number;
}

/** An address with or without a length. */
export function readPrefix(written: string): WrittenPrefix | undefined {
  const [, host = '', digits] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(written) ?? [];
  const found = readAddress(host);
  if (found === undefined) return undefined;
  const whole = found.bytes.length * 8;
  const length = digits === undefined ? whole : Number(digits);
  return length > whole ? undefined : { address: found, length };
}

export const prefix = word(
  'an address, with or without a length, as 192.0.2.10/24',
  ['192.0.2.10', '192.0.2.0/24', '2001:db8::/64'],
  readPrefix,
);

export type WrittenMask = number | Address;

/** What clients are told apart by: a length of a prefix, or a mask. */
export const persistenceMask = z
  .union([
    integer('the length of a prefix', 1, 128),
    word('a length of a prefix or a mask, as 24 or 255.255.255.0', ['255.255.255.0'], (written) =>
      readAddress(written),
    ),
  ])
  .meta({ description: 'clients of one such network are one client: the length of its prefix, or its mask' });

/** undefined: it can't be one of this family. */
export function toMask(family: 4 | 6, written: WrittenMask): Address | undefined {
  if (typeof written === 'number') return written > (family === 4 ? 32 : 128) ? undefined : prefixMask(family, written);
  if (written.family !== family) return undefined;
  return family === 6 && prefixLength(written) === undefined ? undefined : written;
}

export function readNumberRange(written: string, most: number): NumberRange | undefined {
  const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(written) ?? [];
  const [from, to] = [Number(first), Number(last)];
  return first === '' || from > to || to > most ? undefined : { first: from, last: to };
}

/** A number, or a text of two. */
export function numberRange(what: string, least: number, most: number, example: string) {
  const expected = `${what} from ${least} to ${most} or a range of them, as ${example}`;
  return z.union([
    z
      .int({ error: `expected ${expected}` })
      .min(least, { error: `expected ${expected}` })
      .max(most, { error: `expected ${expected}` })
      .transform((number): NumberRange => ({ first: number, last: number })),
    word(expected, [example], (written) => {
      const range = readNumberRange(written, most);
      return range === undefined || range.first < least ? undefined : range;
    }),
  ]);
}

export const portRange = numberRange('a port', 0, 65535, '8000-8100');
export const statusRange = numberRange('a status', 100, 599, '200-399');

/** One, or a list of them; always a list when read. */
export function oneOrMore<Schema extends z.ZodType>(schema: Schema) {
  return z.union([schema.transform((one) => [one]), z.array(schema)]);
}

/** A program and its arguments: a text is taken apart at its blanks. */
export const command = z
  .union([
    text('a program with its arguments').transform((line) => line.trim().split(/\s+/)),
    z.array(text('a program or an argument')).min(1, { error: 'expected a program' }),
  ])
  .refine((words) => words[0]?.startsWith('/'), { error: 'expected a program by its whole path, from / on' })
  .meta({ description: 'a program by its whole path, and its arguments; no shell is between' });

export const interfaceName = z
  .string({ error: 'expected the name of an interface' })
  .regex(/^[^\s/:]{1,15}$/, { error: 'expected the name of an interface, of up to 15 characters' });
