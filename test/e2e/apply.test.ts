// fairlead check, plan and apply as commands: what is declared comes, what is not touched stays, and a mistake changes nothing.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listConnections, listCounts } from './listing.ts';
import { fairlead, ipvsadm, type Network, openNetwork, vip } from './network.ts';
import { startTalker } from './talk.ts';

let network: Network;

beforeAll(async () => {
  network = await openNetwork('masq');
});

afterAll(() => network[Symbol.asyncDispose]());

const secondVip = '10.0.0.101';
const web = (weight: number): string => `services:
  - tcp: ${vip}:7
    scheduler: rr
    destinations:
      - 10.1.0.1:8007
      - 10.1.0.2:8007
  - tcp: ${secondVip}:80
    destinations:
      - {rip: 10.1.0.3:8080, weight: ${weight}}
addresses:
  outer: ${secondVip}
marks:
  - {set: 7, protocol: udp, to: ${vip}, ports: 53}
settings: {drop_entry: 1}
`;

const command = async (words: readonly string[], input: string) => {
  const { status, stdout, stderr } = await network.director.attempt([fairlead, ...words], { input });
  return { status, stdout, stderr };
};
const apply = (yaml: string, ...options: readonly string[]) => command(['apply', '-', ...options], yaml);
const state = async (): Promise<string> =>
  [
    await network.director.run(ipvsadm, '-Sn'),
    await network.director.run('ip', '-br', 'address', 'show', 'outer'),
    await network.director.run(fairlead, 'mark', 'list'),
    await network.director.run(fairlead, 'settings', 'drop_entry'),
  ].join('\n');

test('where nothing is attached, plan tells all and attaches nothing', async () => {
  const planned = await command(['plan', '-', '--detailed-exitcode'], web(1));
  expect(planned).toMatchObject({ status: 2, stderr: '' });
  expect(planned.stdout).toBe(`+ tcp ${vip}:7 scheduler rr
+     10.1.0.1:8007 method masq weight 1
+     10.1.0.2:8007 method masq weight 1
+ tcp ${secondVip}:80 scheduler wlc
+     10.1.0.3:8080 method masq weight 1
+ mark rule -p udp -d ${vip} --dport 53 --set-mark 7
+ address ${secondVip}/32 outer
~ setting drop_entry: 0 -> 1
4 to add, 1 to change, 0 to remove
`);
  expect(await command(['status'], '')).toMatchObject({ status: 1 });
});

test('what is declared balances, and what does not change is not touched', async () => {
  await network.director.run(ipvsadm, '-A', '-u', `${vip}:53`);
  expect(await apply(web(1))).toMatchObject({ status: 0 });
  const talker = await startTalker(network);
  const talks = [await talker.open('tcp'), await talker.open('tcp')];
  const names = await Promise.all(talks.map((talk) => talk.ask()));
  expect(names.toSorted()).toEqual(['rs1', 'rs2']);
  const counts = await listCounts(network, `TCP ${vip}:7`);
  const connections = [...(await listConnections(network)).keys()].toSorted();

  const changed = await apply(web(5));
  expect(changed.stdout).toBe(
    `~ tcp ${secondVip}:80\n~     10.1.0.3:8080 weight: 1 -> 5\n0 added, 1 changed, 0 removed\n`,
  );
  expect(await listCounts(network, `TCP ${vip}:7`)).toEqual(counts);
  expect([...(await listConnections(network)).keys()].toSorted()).toEqual(connections);
  expect(await network.director.run(ipvsadm, '-Ln', '--stats')).toMatch(/TCP {2}10\.0\.0\.100:7 +2 /);
  expect(await Promise.all(talks.map((talk) => talk.ask()))).toEqual(names);
  // rr goes on where it was.
  const next = await talker.open('tcp');
  expect(await next.ask()).toBe(names[0]);
  expect(await apply(web(5))).toMatchObject({ status: 0, stdout: 'nothing changed\n' });
  expect(await command(['plan', '-', '--detailed-exitcode'], web(5))).toMatchObject({ status: 0 });
  for (const talk of [...talks, next]) talk.end();
});

test('a mistake changes nothing, and is told by its place', async () => {
  const before = await state();
  const wrong = web(9).replace('scheduler: rr', 'sheduler: rr');
  for (const words of [['check'], ['plan'], ['apply']])
    expect(await command([...words, '-'], wrong)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'fairlead: stdin:3:5: services[0]: unknown key "sheduler"; did you mean scheduler?\n',
    });
  expect(JSON.parse((await command(['check', '-', '-o', 'json'], wrong)).stdout)).toMatchObject({
    problems: [{ file: 'stdin', line: 3, column: 5, at: 'services[0]' }],
  });
  expect(await state()).toBe(before);
});

test('what the kernel refuses leaves everything as it was', async () => {
  const before = await state();
  const missing = web(9).replace(`outer: ${secondVip}`, `outer: [${secondVip}, 10.0.0.102]\n  nothing0: 10.0.0.103`);
  const refused = await apply(missing.replace('drop_entry: 1', 'drop_entry: 3'));
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toContain('nothing0');
  const tooMany = Array.from({ length: 1100 }, (_, port) => `  - {set: 7, protocol: tcp, ports: ${port}}`).join('\n');
  expect((await apply(`${web(9)}`.replace(/marks:\n.*\n/, `marks:\n${tooMany}\n`))).stderr).toContain('mark rules');
  expect(await state()).toBe(before);
});

test("at the same time as ipvsadm each one's work is whole", async () => {
  const edit = (weight: number) =>
    network.director.run(ipvsadm, '-e', '-t', `${secondVip}:80`, '-r', '10.1.0.3:8080', '-m', '-w', `${weight}`);
  const add = (port: number) => network.director.run(ipvsadm, '-A', '-t', `${vip}:${port}`);
  await Promise.all([add(1001), apply(web(6)), add(1002), edit(7), apply(web(8)), add(1003)]);
  expect((await apply(web(8))).status).toBe(0);
  const table = await network.director.run(ipvsadm, '-Sn');
  for (const port of [1001, 1002, 1003]) expect(table).toContain(`-A -t ${vip}:${port} -s wlc\n`);
  expect(table).toContain(`-a -t ${secondVip}:80 -r 10.1.0.3:8080 -m -w 8\n`);
});

test('what was declared and is no more goes, and what commands added stays', async () => {
  await network.director.run(fairlead, 'mark', 'add', '-d', vip, '--set-mark', '9');
  expect((await apply('services: []', '--no-prune')).stdout).toBe('nothing changed\n');
  const pruned = await apply('services: []');
  expect(pruned.stdout).toMatch(/^- tcp 10\.0\.0\.100:7 scheduler rr\n/);
  expect(pruned.stdout).toMatch(/0 added, 1 changed, 4 removed\n$/);
  const after = await state();
  expect(after).toContain(`-A -u ${vip}:53 -s wlc\n`);
  expect(after).not.toContain(secondVip);
  expect(after).toContain(vip);
  expect(after).toContain('1  -d 10.0.0.100 --set-mark 9\n');
  expect(after).toMatch(/\n0\n$/);
});

test('one that ipvsadm added is taken over, and says so', async () => {
  const adopted = await apply(`services: [{udp: '${vip}:53'}]`);
  expect(adopted.stdout).toBe(
    `~ udp ${vip}:53 (added by a command; from now on it is declared)\n0 added, 1 changed, 0 removed\n`,
  );
  expect((await apply('services: []')).stdout).toContain(`- udp ${vip}:53`);
});
