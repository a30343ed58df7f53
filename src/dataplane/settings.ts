// The settings under net.ipv4.vs, where packets and the timer read them: words of struct settings by the same names.
import { defenceNames, type SettingName, type Settings, settingNames } from '../model/settings.ts';
import { everUsed } from './destinations.ts';
import { ensureFeatures } from './load.ts';
import type { Maps } from './maps.ts';

export function readSettings(maps: Maps): Settings {
  const row = maps.rows('settings');
  return Object.fromEntries(settingNames.map((name) => [name, row.number(name).get(0)])) as Settings;
}

export function writeSettings(maps: Maps, wanted: Partial<Settings>): void {
  const present = readSettings(maps);
  if (wanted.schedule_icmp) ensureFeatures(maps, ['related-opening']);
  const row = Object.entries(wanted).map(([name, value]) => [name, kept(name as SettingName, value, present)]);
  maps.rows('settings').patch(0, Object.fromEntries(row));
  if (wanted.pmtu_disc !== undefined && wanted.pmtu_disc !== present.pmtu_disc) forgetWays(maps);
}

/** Of the two modes by need the data plane chooses one. */
function kept(name: SettingName, value: number, present: Settings): number {
  const isByNeed = (mode: number): boolean => mode === 1 || mode === 2;
  if (!defenceNames.includes(name) || !isByNeed(value)) return value;
  return isByNeed(present[name]) ? present[name] : 1;
}

/** Ways to real servers tell by what kind of packets they are to be reached: the next packet looks them up. */
function forgetWays(maps: Maps): void {
  const refresh = maps.rows('destinations').number('next_hop.refresh');
  for (let slot = 0, used = everUsed(maps); slot < used; slot++) refresh.set(slot, 0);
}
