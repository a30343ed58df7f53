// A short soak: reloads, kills and upgrades under load, and no request fails. `npm run soak` is the long one.
import { expect, test } from 'vitest';
import { soak } from '../soak/soak.ts';

test('clients notice nothing of reloads, kills, upgrades and drains', async () => {
  const told: string[] = [];
  const what = { method: 'masq', seconds: 8, reloads: 8, kills: 2, upgrades: 1, seed: 1 } as const;
  const { requests, failed, failures, ...done } = await soak({ ...what, say: (text) => told.push(text) });
  expect({ failed, failures, ...done }).toMatchObject({ failed: 0, failures: [], reloads: 8, kills: 2, upgrades: 1 });
  expect(requests).toBeGreaterThan(1000);
});
