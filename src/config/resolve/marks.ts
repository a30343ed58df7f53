// Mark rules as the data plane has them.
import type { Family } from '../../model/address.ts';
import { type AddressRange, checkRule, familyOf, type MarkRule, type Match, prefixMask } from '../../model/mark.ts';
import { listed, type Path } from '../problem.ts';
import type { WrittenMarkRule } from '../schema/marks.ts';
import type { WrittenPrefix } from '../schema/scalars.ts';
import type { Problems } from './problems.ts';

type Matches = NonNullable<WrittenMarkRule['not']>;

const matchNames = ['protocol', 'from', 'to', 'ports', 'source_ports', 'interface', 'mark'] as const;

export function resolveMarkRule(written: WrittenMarkRule, path: Path, problems: Problems): MarkRule | undefined {
  const both = matchNames.filter((name) => written[name] !== undefined && written.not?.[name] !== undefined);
  if (both.length > 0) problems.add([...path, 'not'], `expected ${listed(both)} once, here or outside of not`);
  if (written.set === undefined && !written.accept) {
    problems.add(path, 'the rule does nothing: expected set or accept');
    return undefined;
  }
  const family: Family | undefined = written.family && (written.family === 'ipv6' ? 6 : 4);
  const rule: MarkRule = {
    ...(family && { family }),
    ...matchesOf(written.not ?? {}, true),
    ...matchesOf(written, false),
    ...(written.set && { set: written.set }),
    isLast: written.accept ?? false,
  };
  const known = familyOf(rule);
  return problems.catching(path, () => {
    checkRule(rule);
    return known === undefined ? rule : { ...rule, family: known };
  });
}

function matchesOf(written: Matches, isNot: boolean): Partial<MarkRule> {
  const { protocol, from, to, ports, source_ports, mark } = written;
  const as = <Value extends object>(value: Value): Match<Value> => ({ ...value, isNot });
  return {
    ...(protocol && { protocol: as({ name: protocol }) }),
    ...(from && { source: as(rangeOf(from)) }),
    ...(to && { target: as(rangeOf(to)) }),
    ...(written.interface && { interface: as({ name: written.interface }) }),
    ...(source_ports && { sourcePorts: as({ ranges: source_ports }) }),
    ...(ports && { targetPorts: as({ ranges: ports }) }),
    ...(mark && { mark: as(mark) }),
  };
}

function rangeOf({ address, length }: WrittenPrefix): AddressRange {
  const mask = prefixMask(address.family, length);
  const bytes = address.bytes.map((byte, index) => byte & (mask.bytes[index] ?? 0));
  return { address: { family: address.family, bytes }, mask };
}
