// Samples of keepalived.conf become configurations that are right by our own check, and what has no place there is told by line.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Address, formatAddress } from '../../model/address.ts';
import { serviceKey } from '../../model/table.ts';
import { parseConfig } from '../load.ts';
import { importKeepalived } from './keepalived.ts';
import { formatLoss } from './losses.ts';
import { formatConfig } from './output.ts';
import type { Files } from './source.ts';
import { splitWords } from './words.ts';

const folder = fileURLToPath(new URL('../../../test/fixtures/keepalived/', import.meta.url));
const attempt = <Value>(work: () => Value): Value | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};
/** As if the samples were in the working directory. */
const files: Files = {
  read: (path) => attempt(() => readFileSync(join(folder, path), 'utf8')),
  list: (path) => attempt(() => readdirSync(join(folder, path))) ?? [],
};

function imported(text: string, configId = 'lb1') {
  const only: Files = { read: (path) => (path === 'x.conf' ? text : undefined), list: () => [] };
  const { configuration, losses } = importKeepalived('x.conf', { files: only, configId });
  const yaml = formatConfig(configuration);
  return { yaml, declared: parseConfig(Buffer.from(yaml), 'made.yaml'), losses: losses.map(formatLoss) };
}

describe.each(['web', 'classic', 'broken'])('the sample %s', (name) => {
  const { configuration, losses } = importKeepalived(`${name}.conf`, { files, configId: 'lb1' });
  const yaml = formatConfig(configuration);

  test('is carried over', async () => {
    expect(() => parseConfig(Buffer.from(yaml), 'made.yaml')).not.toThrow();
    await expect(yaml).toMatchFileSnapshot(join(folder, `${name}.yaml`));
  });

  test('but for what is told', async () => {
    await expect(losses.map((loss) => `${formatLoss(loss)}\n`).join('')).toMatchFileSnapshot(
      join(folder, `${name}.losses.txt`),
    );
  });
});

describe('lines', () => {
  test.each<[string, readonly string[]]>([
    [`abcd" efg h jkl "mnop`, ['abcd efg h jkl mnop']],
    [`abcd "efg h jkl" mnop`, ['abcd', 'efg h jkl', 'mnop']],
    [`a "b ! # c" d ! e`, ['a', 'b ! # c', 'd']],
    ['  # all of it', []],
    ['url { path /a{b} }', ['url', '{', 'path', '/a{b}', '}']],
    [`"" 'it"s'`, ['', 'it"s']],
    [String.raw`"say \"x\""`, ['say "x"']],
  ])('%s', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  test('parameters are put in when they are used, also in each other', () => {
    const { declared } = imported(`
$BASE=10.2.\${SUB}
$SUB=0
virtual_server \${BASE}.1 80 {
$SUB=10
    real_server \${BASE}.2 80 {
    }
    real_server 10.0.0.\${UNKNOWN} 80 {
    }
}`);
    expect(declared.services.map(({ identity }) => serviceKey(identity))).toEqual(['tcp 10.2.0.1:80']);
    expect(declared.services[0]?.destinations.map(({ rip }) => rip.bytes)).toEqual([[10, 2, 10, 2]]);
  });

  test('conditions, sequences and lists', () => {
    const keys = (configId: string): readonly string[] =>
      imported(
        `@a virtual_server 10.0.0.1 80 {
@^a virtual_server 10.0.0.2 80 {
}
~SEQ(N, 2, 2, 6) virtual_server 10.0.1.$N 80 { }
~SEQ(N, 2, 2, 6) virtual_server 10.0.2.\${N} 80 { }
~SEQx(N, 9, 11) virtual_server fd00::\${N} 80 { }
~LST({P, Q}, {1, 2}, {3, 4}) virtual_server 10.1.\${P}.\${Q} 80 { }`,
        configId,
      ).declared.services.map(({ identity }) => serviceKey(identity).slice(4));
    const rest = [
      '10.0.2.2:80',
      '10.0.2.4:80',
      '10.0.2.6:80',
      '[fd00::9]:80',
      '[fd00::a]:80',
      '[fd00::b]:80',
      '10.1.1.2:80',
      '10.1.3.4:80',
    ];
    expect(keys('a')).toEqual(['10.0.0.1:80', '10.0.1.2:80', '10.0.1.4:80', '10.0.1.6:80', ...rest]);
    expect(keys('b')[0]).toBe('10.0.0.2:80');
  });

  test('a parameter that holds itself ends', () => {
    expect(imported(`$A=\${A}x\nvirtual_server $A 80 {\n}\n`).declared.services).toEqual([]);
  });
});

test('each host of a mail check is a check of its own', () => {
  const { declared, losses } = imported(`virtual_server 192.0.2.1 25 {
real_server 10.0.0.1 25 {
SMTP_CHECK {
bindto 10.0.0.254
host {
connect_ip 10.0.0.1
}
host {
connect_ip 10.9.0.1
connect_port 587
bindto 10.9.0.254
}
}
}
}
`);
  const checks = declared.services[0]?.destinations[0]?.checks ?? [];
  const text = (address: Address | undefined): string => (address === undefined ? '-' : formatAddress(address));
  expect(checks.map(({ target: { address, port, source } }) => [text(address), port, text(source)])).toEqual([
    ['10.0.0.1', undefined, '10.0.0.254'],
    ['10.9.0.1', 587, '10.9.0.254'],
  ]);
  expect(losses).toEqual([]);
});

test.each<[string, readonly string[]]>([
  ['10.0.0.1', ['10.0.0.1']],
  ['10.0.0.254-10.0.1.1', ['10.0.0.254', '10.0.0.255', '10.0.1.0', '10.0.1.1']],
  ['10.0.0.1-3', ['10.0.0.1', '10.0.0.2', '10.0.0.3']],
  ['10.0.0.8/30', ['10.0.0.8', '10.0.0.9', '10.0.0.10', '10.0.0.11']],
  ['fd00::fe-100', ['fd00::fe', 'fd00::ff', 'fd00::100']],
])('the range %s', (range, addresses) => {
  const { declared } = imported(`virtual_server_group g {\n${range} 80\n}\nvirtual_server group g {\n}\n`);
  expect(
    declared.services.map(({ identity }) => serviceKey(identity).slice(4).replace(/:80$/, '').replace(/[[\]]/g, '')),
  ).toEqual(addresses);
});

const word = fc.constantFrom(
  'virtual_server',
  'real_server',
  '192.0.2.1',
  '80',
  'weight',
  'x',
  '-1',
  '5',
  'TCP_CHECK',
  'HTTP_GET',
  'url',
  'path',
  '/',
  'regex',
  '((',
  'delay_loop',
  '1',
  'connect_timeout',
  '9',
  'fwmark',
  'group',
  'g',
  'virtual_server_group',
  'lb_kind',
  'DR',
  'TUN',
  'type',
  'gue',
  'persistence_timeout',
  'quorum',
  'MISC_CHECK',
  'misc_path',
  '$A=1',
  `\${A}`,
  '@x',
  '~SEQ(A,3)',
  '"',
  "'",
  'constructor',
  '__proto__',
  'toString',
);

test('whatever the text, what is made of it is right by our own check', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(word, fc.constantFrom('{', '}', '{\n', '}\n', '\n', '\n', '\n')), { maxLength: 40 }),
      (words) => {
        imported(words.join(' '));
        imported(`virtual_server 192.0.2.1 80 {\n${words.join(' ')}\n}\n`);
      },
    ),
    { numRuns: 100 },
  );
});
