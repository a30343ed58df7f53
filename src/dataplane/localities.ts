// What lblc and lblcr remember of addresses: the packet path's own, but for services that are gone.
import { decode } from '../kernel/codec.ts';
import type { LiveService } from './live.ts';
import type { Maps } from './maps.ts';

export function forgetLocalities(maps: Maps, { record }: LiveService): void {
  if (record.scheduler !== 'lblc' && record.scheduler !== 'lblcr') return;
  const layout = maps.layouts.struct('locality_key');
  const localities = maps.map('localities');
  const keys = [...localities.entries()].map(([key]) => key);
  for (const key of keys) {
    if (decode<{ service: number }>(layout, key).service === record.id) localities.delete(key);
  }
}
