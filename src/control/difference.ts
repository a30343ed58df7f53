// From what is there and what is desired to what will be there, and each change on the way. Pure.
import { formatAddress } from '../model/address.ts';
import type { HeldAddress } from '../model/declared.ts';
import { defaultTimeouts, type Timeouts } from '../model/director.ts';
import type { Everything, Ownership } from '../model/everything.ts';
import { formatRule, type MarkRules } from '../model/mark.ts';
import type { Service } from '../model/service.ts';
import { defenceNames, initialSettings, type SettingName, type Settings } from '../model/settings.ts';
import { serviceKey } from '../model/table.ts';
import type { Desired } from './desired.ts';
import { addedService, mergedService, removedService, type ServiceChange } from './service-change.ts';

/** A value of its own: a setting, a timeout. */
export interface ValueChange {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

export interface ListChange {
  readonly action: 'add' | 'remove';
  readonly text: string;
}

export interface Difference {
  readonly services: readonly ServiceChange[];
  readonly markRules: readonly ListChange[];
  readonly addresses: readonly ListChange[];
  readonly settings: readonly ValueChange[];
  readonly timeouts: readonly ValueChange[];
}

export interface Planned {
  readonly difference: Difference;
  readonly wanted: Everything;
  /** To be put on interfaces, and taken from them. */
  readonly addresses: { readonly added: readonly HeldAddress[]; readonly removed: readonly string[] };
}

export interface Options {
  /** What was declared before and is no more stays. */
  readonly keep: boolean;
  /** Those that interfaces have, as holdingText writes them; those that are declared or owned are enough. */
  readonly heldAddresses: ReadonlySet<string>;
}

export function planDifference(present: Everything, desired: Desired, options: Options): Planned {
  const { ownership } = present;
  const services = planServices(present, desired, options);
  const markRules = planMarkRules(present, desired, options);
  const addresses = planAddresses(ownership, desired, options);
  const settings = planValues<SettingName>(
    present.settings,
    desired.settings,
    initialSettings,
    ownership.settings,
    options,
  );
  const timeouts = planValues<keyof Timeouts>(
    present.timeouts,
    desired.timeouts,
    defaultTimeouts,
    ownership.timeouts,
    options,
  );
  return {
    difference: {
      services: services.changes,
      markRules: markRules.changes,
      addresses: addresses.changes,
      settings: settings.changes,
      timeouts: timeouts.changes,
    },
    wanted: {
      table: { services: services.wanted },
      markRules: markRules.wanted,
      settings: settings.wanted as Settings,
      timeouts: timeouts.wanted as Timeouts,
      ownership: {
        services: services.owned,
        markRules: markRules.owned,
        addresses: addresses.owned,
        settings: settings.owned,
        timeouts: timeouts.owned,
      },
    },
    addresses: { added: addresses.added, removed: addresses.removed },
  };
}

export function isSame({ services, markRules, addresses, settings, timeouts }: Difference): boolean {
  return [services, markRules, addresses, settings, timeouts].every((changes) => changes.length === 0);
}

interface Part<Value> {
  readonly wanted: Value;
  readonly owned: readonly string[];
}

/** Those that are there keep their place, those that nobody declared stay as they are, and new ones come last. */
function planServices(
  { table, ownership }: Everything,
  desired: Desired,
  { keep }: Options,
): Part<readonly Service[]> & { readonly changes: readonly ServiceChange[] } {
  const owned = new Set(ownership.services);
  const left = new Map(desired.services.map((service) => [serviceKey(service.identity), service]));
  const changes: ServiceChange[] = [];
  const note = (change: ServiceChange | undefined): void => {
    if (change !== undefined) changes.push(change);
  };
  const keys = [...left.keys()];
  const kept: string[] = [];
  const wanted: Service[] = [];
  for (const present of table.services) {
    const key = serviceKey(present.identity);
    const service = left.get(key);
    left.delete(key);
    if (service !== undefined) {
      const { merged, change } = mergedService(present, service, !owned.has(key));
      wanted.push(merged);
      note(change);
    } else if (owned.has(key) && !keep) note(removedService(present));
    else {
      wanted.push(present);
      if (owned.has(key)) kept.push(key);
    }
  }
  for (const service of left.values()) {
    wanted.push({ ...service, destinations: service.destinations.toReversed() });
    note(addedService(service));
  }
  return { wanted, changes, owned: [...keys, ...kept] };
}

/** Declared ones come first, in the file's order; those that a command added come after them. */
function planMarkRules(
  { markRules, ownership }: Everything,
  desired: Desired,
  { keep }: Options,
): Part<MarkRules> & { readonly changes: readonly ListChange[] } {
  const texts = desired.markRules.map(formatRule);
  const doomed = [...texts, ...(keep ? [] : ownership.markRules)];
  const others = markRules.filter((rule) => !takeOne(doomed, formatRule(rule)));
  const wanted = [...desired.markRules, ...others];
  const [before, after] = [markRules.map(formatRule), wanted.map(formatRule)];
  const kept = keep ? ownership.markRules.filter((text) => !texts.includes(text)) : [];
  return { wanted, changes: listChanges(before, after), owned: [...texts, ...kept] };
}

function takeOne(texts: string[], text: string): boolean {
  const at = texts.indexOf(text);
  if (at >= 0) texts.splice(at, 1);
  return at >= 0;
}

/** What goes and what comes; if it is but another order, all of both. */
function listChanges(before: readonly string[], after: readonly string[]): readonly ListChange[] {
  if (before.join('\n') === after.join('\n')) return [];
  const [more, fewer] = [[...before], [...after]];
  const added = after.filter((text) => !takeOne(more, text));
  const removed = before.filter((text) => !takeOne(fewer, text));
  const [gone, come] = added.length + removed.length > 0 ? [removed, added] : [before, after];
  return [
    ...gone.map((text): ListChange => ({ action: 'remove', text })),
    ...come.map((text): ListChange => ({ action: 'add', text })),
  ];
}

/** `192.0.2.10/32 eth0`. */
export function holdingText({ interface: name, address, prefixLength }: HeldAddress): string {
  return `${formatAddress(address)}/${prefixLength} ${name}`;
}

function planAddresses(
  { addresses: owned }: Ownership,
  desired: Desired,
  { keep, heldAddresses }: Options,
): {
  readonly owned: readonly string[];
  readonly changes: readonly ListChange[];
  readonly added: readonly HeldAddress[];
  readonly removed: readonly string[];
} {
  const wanted = new Map(desired.addresses.map((held) => [holdingText(held), held]));
  const added = [...wanted].filter(([text]) => !heldAddresses.has(text));
  const undeclared = owned.filter((text) => !wanted.has(text));
  const removed = keep ? [] : undeclared.filter((text) => heldAddresses.has(text));
  return {
    // One that was there already belongs to who put it there.
    owned: [
      ...[...wanted.keys()].filter((text) => owned.includes(text) || !heldAddresses.has(text)),
      ...(keep ? undeclared : []),
    ],
    changes: [
      ...removed.map((text): ListChange => ({ action: 'remove', text })),
      ...added.map(([text]): ListChange => ({ action: 'add', text })),
    ],
    added: added.map(([, held]) => held),
    removed,
  };
}

/** What is no more declared is again what it is at first. */
function planValues<Name extends string>(
  present: Readonly<Record<Name, number>>,
  desired: Readonly<Partial<Record<Name, number>>>,
  initial: Readonly<Record<Name, number>>,
  owned: readonly string[],
  { keep }: Options,
): Part<Readonly<Record<Name, number>>> & { readonly changes: readonly ValueChange[] } {
  const undeclared = owned.filter((name) => !(name in desired)) as Name[];
  const reset = keep ? {} : Object.fromEntries(undeclared.map((name) => [name, initial[name]]));
  const wanted: Record<Name, number> = { ...present, ...reset, ...desired };
  const changes = (Object.keys(wanted) as Name[])
    .filter((name) => !isSameValue(name, present[name], wanted[name]))
    .map((name) => ({ name, before: present[name], after: wanted[name] }));
  return { wanted, changes, owned: [...Object.keys(desired), ...(keep ? undeclared : [])] };
}

/** Of a defence's two modes by need the data plane chooses one. */
function isSameValue(name: string, a: number, b: number): boolean {
  const isByNeed = (mode: number): boolean => mode === 1 || mode === 2;
  return a === b || (defenceNames.includes(name as SettingName) && isByNeed(a) && isByNeed(b));
}
