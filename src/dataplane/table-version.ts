// Tells whether the table of services is what it was: its number is another with each change, and odd while one is being made.
import type { Maps } from './maps.ts';

export function tableVersion(maps: Maps): number {
  return maps.rows('instances').number('table_version').get(0);
}

/** Also of one whose process died. */
export function isBeingChanged(version: number): boolean {
  return version % 2 === 1;
}

/** Under the instance's lock. */
export function beginChange(maps: Maps): void {
  setVersion(maps, tableVersion(maps) | 1);
}

/** Under the instance's lock. */
export function endChange(maps: Maps): void {
  const version = tableVersion(maps);
  if (isBeingChanged(version)) setVersion(maps, version + 1);
}

function setVersion(maps: Maps, version: number): void {
  maps.rows('instances').number('table_version').set(0, version);
}
