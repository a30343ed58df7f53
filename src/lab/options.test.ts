// The laboratory's command line, as a person types it.
import { expect, it } from 'vitest';
import { parseOptions } from './options.ts';

it.each([
  [[], { types: ['nat', 'dr', 'tun', 'fullnat'], keep: false, down: false, json: false }],
  [['tun'], { types: ['tun'] }],
  [['nat', '--keep'], { types: ['nat'], keep: true }],
  [['--keep', 'fullnat'], { types: ['fullnat'], keep: true }],
  [['--json'], { json: true }],
  [['--down'], { down: true }],
  [['-h'], { help: true }],
])('takes %j', (argv, expected) => {
  expect(parseOptions(argv)).toMatchObject(expected);
});

it.each([
  [['ipip'], 'expected nat, dr, tun or fullnat, got ipip'],
  [['nat', 'dr'], 'expected one LVS type or none, got nat dr'],
  [['--keep'], '--keep needs the LVS type to keep'],
  [['--down', 'nat'], '--down stands alone'],
  [['--down', '--json'], '--down stands alone'],
  [['--fast'], "Unknown option '--fast'"],
])('refuses %j', (argv, message) => {
  expect(() => parseOptions(argv)).toThrow(message);
});
