// fairlead mark list: the rules as one would write them, or for programs.
import { formatPorts, formatRange, formatRule, type MarkRule, type MarkRules } from '../../../model/mark.ts';
import type { Out } from '../io.ts';
import { toJson, toPlain } from '../json.ts';

export async function showRules(out: Out, rules: MarkRules, output: 'table' | 'json' | 'yaml'): Promise<void> {
  if (output === 'table') out.write(formatRules(rules));
  else if (output === 'json') out.write(toJson({ rules: rules.map(describe) }));
  else {
    const { stringify } = await import('yaml');
    out.write(stringify({ rules: rules.map((rule, index) => toPlain(describe(rule, index))) }));
  }
}

function formatRules(rules: MarkRules): string {
  const lines = rules.map((rule, index) => `${String(index + 1).padStart(6)}  ${formatRule(rule)}\n`);
  return `NUMBER  RULE\n${lines.join('')}`;
}

/** What must not be begins with an exclamation mark. */
function describe(rule: MarkRule, index: number): object {
  const { family, protocol, source, target, sourcePorts, targetPorts, mark, set, isLast } = rule;
  const text = (match: { readonly isNot: boolean } | undefined, value: () => string): string | undefined =>
    match === undefined ? undefined : `${match.isNot ? '!' : ''}${value()}`;
  const ports = (match: MarkRule['sourcePorts']): string | undefined =>
    text(match, () => match?.ranges.map(formatPorts).join(',') ?? '');
  return {
    number: index + 1,
    family,
    protocol: text(protocol, () => protocol?.name ?? ''),
    source: text(source, () => (source ? formatRange(source) : '')),
    destination: text(target, () => (target ? formatRange(target) : '')),
    interface: text(rule.interface, () => rule.interface?.name ?? ''),
    sourcePorts: ports(sourcePorts),
    destinationPorts: ports(targetPorts),
    mark: mark && { value: mark.value, mask: mark.mask, ...(mark.isNot ? { isNot: true } : {}) },
    set,
    ...(isLast ? { verdict: 'ACCEPT' } : {}),
  };
}
