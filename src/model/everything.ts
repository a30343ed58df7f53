// All that a director holds, as one value: what a declared configuration is compared with and put in the place of.
import { defaultTimeouts, type Timeouts } from './director.ts';
import type { MarkRules } from './mark.ts';
import { emptyTable, type Table } from './service.ts';
import { initialSettings, type Settings } from './settings.ts';

export interface Everything {
  readonly table: Table;
  readonly markRules: MarkRules;
  readonly settings: Settings;
  readonly timeouts: Timeouts;
  readonly ownership: Ownership;
}

/** What is there because a configuration declared it, by name; all else is somebody's who used a command. */
export interface Ownership {
  /** serviceKey's. */
  readonly services: readonly string[];
  /** As formatRule writes them. */
  readonly markRules: readonly string[];
  /** `192.0.2.10/32 eth0`: those that were put there for it. */
  readonly addresses: readonly string[];
  readonly settings: readonly string[];
  readonly timeouts: readonly string[];
}

export const noOwnership: Ownership = { services: [], markRules: [], addresses: [], settings: [], timeouts: [] };

export const nothingInstalled: Everything = {
  table: emptyTable,
  markRules: [],
  settings: initialSettings,
  timeouts: defaultTimeouts,
  ownership: noOwnership,
};
