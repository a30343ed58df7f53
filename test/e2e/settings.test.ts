// fairlead settings as a command: what it shows and sets, where something is attached and where nothing is.
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type TestNamespace, testNamespace } from '../kernel/namespace.ts';
import { fairlead, ipvsadm } from './network.ts';

let namespace: TestNamespace;

beforeEach(() => {
  namespace = testNamespace();
  for (const device of ['lo', 'v0', 'v1']) namespace.ip('link', 'set', device, 'up');
});

afterEach(() => {
  run([fairlead, 'detach']);
  namespace[Symbol.dispose]();
});

test('where nothing is attached the values at first are shown, and nothing is attached by that', () => {
  expect(settings('conn_reuse_mode').stdout).toBe('1\n');
  expect(settings().stdout).toMatch(/^am_droprate +10\n/);
  expect(settings('sync_version').stdout).toMatch(/^no meaning here: /);
  expect(run([fairlead, 'status']).status).toBe(1);
});

test('setting one attaches, and later commands keep to it', () => {
  expect(settings('net.ipv4.vs.drop_entry=3', 'amemthresh=-5')).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(run([fairlead, 'status']).stdout).toMatch(/^attached\n {2}v/);
  run([ipvsadm, '-A', '-t', '10.0.0.1:80']);
  run([ipvsadm, '-C']);
  expect(settings('drop_entry', 'amemthresh').stdout).toBe('drop_entry  3\namemthresh  -5\n');
});

test('a mistake in one of them changes none', () => {
  settings('drop_entry=1');
  expect(settings('drop_entry=3', 'sloppy_tcp=x').status).toBe(2);
  expect(settings('drop_entry=3', 'conntrack=1').status).toBe(2);
  expect(settings('drop_entry').stdout).toBe('1\n');
});

test.each(['json', 'yaml'])('what it writes as %s it reads, and takes it over whole', (output) => {
  settings('drop_packet=3', 'lblc_expiration=60');
  const { stdout } = settings('-o', output);
  expect(parse(stdout)).toMatchObject({ settings: { drop_packet: 3, sloppy_tcp: 0 }, withoutMeaning: {} });
  run([fairlead, 'detach']);
  expect(run([fairlead, 'settings', '-f', '-'], stdout)).toMatchObject({ status: 0, stderr: '' });
  expect(settings('-o', output).stdout).toBe(stdout);
  const wrong = stdout.replace('60', '[60]');
  expect(run([fairlead, 'settings', '-f', '-'], wrong).stderr).toContain('lblc_expiration: expected a number');
});

function settings(...words: readonly string[]) {
  return run([fairlead, 'settings', ...words]);
}

function run(words: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync('ip', ['netns', 'exec', namespace.name, ...words], {
    input,
    encoding: 'utf8',
    env: { ...process.env, FAIRLEAD_CONNECTIONS: '1024' },
  });
  return { status, stdout, stderr };
}
