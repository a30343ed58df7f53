// What changes, as a person reads it: a line begins with + for what comes, - for what goes, ~ for what becomes another.
import { type Difference, isSame, type ListChange, type ValueChange } from '../../../control/difference.ts';
import type { DestinationChange, FieldChange, ServiceChange } from '../../../control/service-change.ts';

const signs = { add: '+', change: '~', remove: '-' } as const;

export function formatDifference(difference: Difference): string {
  const { services, markRules, addresses, settings, timeouts } = difference;
  return [
    ...services.flatMap(serviceLines),
    ...markRules.map((change) => listLine('mark rule', change)),
    ...addresses.map((change) => listLine('address', change)),
    ...settings.map((change) => valueLine('setting', change)),
    ...timeouts.map((change) => valueLine('timeout', change)),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** `2 to add, 1 to change, 0 to remove`, of services and of all else. */
export function summarise(difference: Difference, tense: 'to come' | 'done'): string {
  if (isSame(difference)) return tense === 'done' ? 'nothing changed\n' : 'nothing to change\n';
  const { services, markRules, addresses, settings, timeouts } = difference;
  const actions = [...services, ...markRules, ...addresses].map(({ action }) => action);
  const of = (wanted: 'add' | 'change' | 'remove'): number => actions.filter((action) => action === wanted).length;
  const counts = [of('add'), of('change') + settings.length + timeouts.length, of('remove')];
  const words = tense === 'done' ? ['added', 'changed', 'removed'] : ['to add', 'to change', 'to remove'];
  return `${counts.map((count, index) => `${count} ${words[index]}`).join(', ')}\n`;
}

function serviceLines(change: ServiceChange): readonly string[] {
  const sign = signs[change.action];
  if (change.action !== 'change')
    return [
      `${sign} ${change.service}${wholeFields(change.fields)}`,
      ...change.destinations.map((one) => destinationLine(one)),
    ];
  return [
    `${sign} ${change.service}${change.isAdopted ? ' (added by a command; from now on it is declared)' : ''}`,
    ...change.fields.map((field) => `${sign}     ${fieldText(field)}`),
    ...change.destinations.map((one) => destinationLine(one)),
  ];
}

function destinationLine(change: DestinationChange): string {
  const start = `${signs[change.action]}     ${change.destination}`;
  return change.action === 'change'
    ? `${start} ${change.fields.map(fieldText).join(', ')}`
    : `${start}${wholeFields(change.fields)}`;
}

function wholeFields(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => ` ${name} ${value}`)
    .join('');
}

function fieldText({ name, before, after }: FieldChange): string {
  return `${name}: ${before} -> ${after}`;
}

function listLine(what: string, { action, text }: ListChange): string {
  return `${signs[action]} ${what} ${text}`;
}

function valueLine(what: string, { name, before, after }: ValueChange): string {
  return `~ ${what} ${name}: ${before} -> ${after}`;
}
