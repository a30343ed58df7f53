// FTP by masquerading, as real clients and servers speak it: in active and passive mode, both families, up and down.

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Family, fairlead, inUrl, ipvsadm, type Network, openNetwork, restore } from './network.ts';
import { until } from './until.ts';
import { startVsftpd } from './vsftpd.ts';
import { useXdp } from './xdp.ts';

/** How curl asks for a mode. */
const modes = {
  'passive by EPSV': [],
  'passive by PASV': ['--disable-epsv'],
  'active by EPRT': ['--ftp-port', '-'],
  'active by PORT': ['--ftp-port', '-', '--disable-eprt'],
} as const;

let network: Network;
let folder: string;

describe.each<readonly [Family, 'tc' | 'xdp', string]>([
  [4, 'tc', ''],
  [4, 'xdp', ' -p 300'],
  [6, 'tc', ''],
])('IPv%s at %s%s', (family, hook, options) => {
  beforeAll(async () => {
    network = await openNetwork('masq', family);
    if (hook === 'xdp') await useXdp(network);
    folder = mkdtempSync(join(tmpdir(), 'fairlead-ftp-'));
    chmodSync(folder, 0o755);
    const service = `${inUrl(network.vip)}:21`;
    await restore(network, [
      `-A -t ${service} -s rr${options}`,
      ...network.realServers.map(({ rip }) => `-a -t ${service} -r ${inUrl(rip)}:21 -m`),
    ]);
    for (const server of network.realServers) {
      const files = join(folder, server.name, 'files');
      mkdirSync(join(files, 'incoming'), { recursive: true });
      chmodSync(join(files, 'incoming'), 0o777);
      writeFileSync(join(files, 'name'), server.name);
      writeFileSync(join(files, 'large'), content);
      startVsftpd(server, files);
    }
    for (const { rip } of network.realServers) {
      await until(
        async () => (await network.director.attempt(['curl', '-s', `ftp://${inUrl(rip)}/name`])).status === 0,
      );
    }
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await network[Symbol.asyncDispose]();
  });

  test.each(Object.entries(modes).filter(([mode]) => family === 4 || /EPSV|EPRT/.test(mode)))(
    'files and listings come and go, %s',
    async (mode, words) => {
      const name = mode.replaceAll(' ', '-');
      const before = await connections();
      const names = [await get(words, 'name'), await get(words, 'name'), await get(words, 'name')];
      expect(new Set(names).size).toBe(options === '' ? 3 : 1);

      // One control connection, and a data connection for each: its numbers move on each time.
      const session = await get(words, '', 'incoming/', 'name', '', 'name');
      expect(session.match(/ large\n/g)?.length).toBe(2);
      expect(session.match(/rs[123]/g)?.length).toBe(2);

      const file = join(folder, 'large');
      await curl(...words, '--output', file, `${url()}large`);
      expect(readFileSync(file).equals(content)).toBe(true);
      await curl(...words, '--upload-file', file, `${url()}incoming/${name}`);
      const arrived = network.realServers.map((one) => join(folder, one.name, 'files', 'incoming', name));
      expect(arrived.some((path) => existsSync(path) && readFileSync(path).equals(content))).toBe(true);

      expect((await connections()) - before).toBe(6); // data connections are none of their own
      expect(await network.director.run(fairlead, 'status')).not.toMatch(/adjust-failed|tuple-in-use|table-full/);
    },
  );
});

const content = randomBytes(300_000);

async function connections(): Promise<number> {
  const listed = await network.director.run(ipvsadm, '-Ln', '--stats');
  return Number(/^TCP +\S+ +(\d+)/m.exec(listed)?.[1]);
}

function url(): string {
  return `ftp://${inUrl(network.vip)}/`;
}

async function get(words: readonly string[], ...paths: readonly string[]): Promise<string> {
  return await curl(...words, ...paths.map((path) => url() + path));
}

async function curl(...words: readonly string[]): Promise<string> {
  return await network.client.run('curl', '-sS', '--globoff', '--max-time', '20', ...words);
}
