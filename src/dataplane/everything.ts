// One change of all that a director holds: packets meet the services of before or the new ones, and a failure leaves all as it was.
import { type Everything, nothingInstalled } from '../model/everything.ts';
import { formatRule } from '../model/mark.ts';
import type { Table } from '../model/service.ts';
import { settingNames } from '../model/settings.ts';
import type { Maps } from './maps.ts';
import { readMarkRules, writeMarkRules } from './mark-rules.ts';
import { areSameOwners, readOwnership, writeOwnership } from './ownership.ts';
import { readSettings, writeSettings } from './settings.ts';
import { readTimeouts, writeTimeouts } from './timeouts.ts';

export function readEverything(maps: Maps, table: Table): Everything {
  return {
    table,
    markRules: readMarkRules(maps),
    settings: readSettings(maps),
    timeouts: readTimeouts(maps),
    ownership: readOwnership(maps),
  };
}

type TableChange = (maps: Maps, edit: (installed: Table) => Table) => void;

/** Under the instance's lock. */
export function putEverything(maps: Maps, edit: (present: Everything) => Everything, changeTable: TableChange): void {
  let undo = (): void => {};
  let finish = (): void => {};
  try {
    changeTable(maps, (table) => {
      const present = readEverything(maps, table);
      const wanted = edit(present);
      undo = () => writeRest(maps, wanted, present);
      // Who dies before it is all done has declared both: then the next one takes away what is too much.
      writeRest(maps, present, { ...wanted, ownership: eithers(present, wanted) });
      finish = () => writeRest(maps, { ...wanted, ownership: eithers(present, wanted) }, wanted);
      return wanted.table;
    });
    finish();
  } catch (error) {
    undo();
    throw error;
  }
}

/** All but the table, as far as it differs. */
function writeRest(maps: Maps, before: Everything, after: Everything): void {
  const rules = (one: Everything): string => one.markRules.map(formatRule).join('\n');
  if (rules(before) !== rules(after)) writeMarkRules(maps, after.markRules);
  const settings = settingNames.filter((name) => before.settings[name] !== after.settings[name]);
  if (settings.length > 0)
    writeSettings(maps, Object.fromEntries(settings.map((name) => [name, after.settings[name]])));
  const { timeouts } = after;
  if (
    timeouts.tcp !== before.timeouts.tcp ||
    timeouts.tcpFin !== before.timeouts.tcpFin ||
    timeouts.udp !== before.timeouts.udp
  )
    writeTimeouts(maps, timeouts);
  if (!areSameOwners(before.ownership, after.ownership)) writeOwnership(maps, after.ownership);
}

function eithers({ ownership: a }: Everything, { ownership: b }: Everything): Everything['ownership'] {
  if (areSameOwners(a, b)) return b;
  const both = (some: readonly string[], others: readonly string[]): readonly string[] => [
    ...new Set([...some, ...others]),
  ];
  return {
    services: both(b.services, a.services),
    markRules: both(b.markRules, a.markRules),
    addresses: both(b.addresses, a.addresses),
    settings: both(b.settings, a.settings),
    timeouts: both(b.timeouts, a.timeouts),
  };
}

/** It needs no instance. */
export function isNothing(wanted: Everything): boolean {
  return wanted.table.services.length === 0 && JSON.stringify(wanted) === JSON.stringify(nothingInstalled);
}
