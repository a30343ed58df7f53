// How rules that give packets marks are written.
import { z } from 'zod';
import { markProtocols, wholeMask } from '../../model/mark.ts';
import { choice, interfaceName, mark, oneOrMore, portRange, prefix, truth, word } from './scalars.ts';

const u32 = /^(?:0x[0-9a-fA-F]{1,8}|\d{1,10})$/;

/** `7/0xff`. */
export function readMasked(written: string): { value: number; mask: number } | undefined {
  const [value = '', mask = `${wholeMask}`, ...rest] = written.split('/');
  if (rest.length > 0 || !u32.test(value) || !u32.test(mask)) return undefined;
  const change = { value: Number(value), mask: Number(mask) };
  return change.value > wholeMask || change.mask > wholeMask ? undefined : change;
}

const masked = z.union([
  z
    .int({ error: 'expected a mark from 0 to 4294967295' })
    .min(0)
    .max(wholeMask)
    .transform((value) => ({ value, mask: wholeMask })),
  word('a mark, or a mark and its mask, as 0x10/0xf0', ['7', '0x10/0xf0'], readMasked),
]);

const matches = {
  protocol: choice(markProtocols).optional(),
  from: prefix.optional().meta({ description: "the client's address" }),
  to: prefix.optional().meta({ description: 'the address that packets are for' }),
  ports: oneOrMore(portRange).optional().meta({ description: 'ports that packets are for' }),
  source_ports: oneOrMore(portRange).optional(),
  interface: z
    .union([interfaceName])
    .optional()
    .meta({ description: 'where packets come in; eth+ is all whose names begin so' }),
  mark: masked.optional().meta({ description: 'what rules before this one made of the mark' }),
};

export const markRule = z
  .strictObject({
    set: z
      .union([mark.transform((value) => ({ value, mask: wholeMask })), masked])
      .optional()
      .meta({ description: 'the mark, or the bits of it under a mask' }),
    accept: truth.optional().meta({ description: 'rules after it are not looked at' }),
    family: choice(['ipv4', 'ipv6']).optional(),
    ...matches,
    not: z.strictObject(matches).optional().meta({ description: 'anything else than these' }),
  })
  .meta({ id: 'mark_rule' });
export type WrittenMarkRule = z.output<typeof markRule>;
