// How old a kernel may be, by what releases look like.
import { expect, test } from 'vitest';
import { tooOld } from './kernel-features.ts';

test.each(['6.1.0-31-amd64', '6.18.44', '6.10-rc1', '7.0', '10.0.1'])('%s will do', (running) => {
  expect(tooOld(running)).toEqual([]);
});

test.each(['5.10.0-28-amd64', '6.0.19', '5.15', '4.19.0-rc3', 'unknown'])('%s is told of', (running) => {
  expect(tooOld(running)).toMatchObject([{ id: 'kernel', evidence: `\`uname -r\`: ${running}` }]);
});
