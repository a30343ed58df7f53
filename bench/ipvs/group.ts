// The ipvs group: instructions of the kernel's IPVS, of Fairlead and of others, on one kernel, in a machine that counts them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../test/root.ts';
import { type Image, openImage } from '../../test/vm/image.ts';
import { installPackages, ipvsModules, ipvsPackages } from '../../test/vm/ipvs.ts';
import { runInMachine } from '../../test/vm/machine.ts';
import { openPeers } from '../end-to-end/peers.ts';
import type { Group, GroupReport } from '../row.ts';
import { type Asking, askingScript, haproxyText } from './connections.ts';
import { askedLimits, askedRows, packetLimits, packetRows } from './rows.ts';
import { countingScript, type Effort } from './script.ts';
import { readSteps, type Step } from './steps.ts';

interface Efforts {
  readonly tc: Effort;
  /** A volley of live frames waits and sets up as much as some 2,000 frames take. */
  readonly xdp: Effort;
  readonly asking: Asking;
  /** Between rounds of it: in short ones the kernel's own work weighs more. */
  readonly mostSpread: number;
}

const whole: Efforts = {
  tc: { packets: 8192, rounds: 3, flows: [1, 1024], newConnections: 4096 },
  xdp: { packets: 32_768, rounds: 3, flows: [1, 1024], newConnections: 4096 },
  asking: { rounds: 5, connections: 500, requests: 2000 },
  mostSpread: 0.05,
};
const quick: Efforts = {
  tc: { packets: 1024, rounds: 1, flows: [1], newConnections: 256 },
  xdp: { packets: 4096, rounds: 2, flows: [1], newConnections: 256 },
  asking: { rounds: 2, connections: 100, requests: 200 },
  mostSpread: 0.15,
};
const limitMs = 900_000;
const memoryMb = 1536;
const connections = 65_536;
/** nftables' DNAT. */
const modules = [...ipvsModules, 'nft_chain_nat', 'nft_nat'];

export const ipvs: Group = {
  name: 'ipvs',
  title: 'Instructions on one kernel: a packet, net of one that is dropped when it arrives; a connection and a request',
  async measure({ isQuick, say }): Promise<GroupReport> {
    const image = openImage({ modules, packages: ipvsPackages });
    const peers = openPeers();
    const { tc, xdp, asking, mostSpread } = isQuick ? quick : whole;
    const exchange = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
    const count = async (what: string, script: string): Promise<readonly Step[]> => {
      say(`${what} in the emulated machine, Linux ${image.release}`);
      return readSteps(await runCounting(image, exchange, script), mostSpread);
    };
    try {
      for (const name of ['push', 'ask']) compile(name, exchange);
      writeFileSync(join(exchange, 'haproxy.cfg'), haproxyText());
      const steps = await count('packets by IPVS and by Fairlead at TC', countingScript(tc));
      const atXdp = await count('packets by Fairlead at XDP', shootingScript(xdp));
      const asked = await count('whole connections', askingScript(asking, peers, '/mnt/haproxy.cfg'));
      const [packets, whole] = [packetRows([...steps, ...atXdp]), askedRows(asked)];
      const limits = [...packetLimits(packets), ...askedLimits(whole)];
      const versions = { 'IPVS of Linux': image.release, HAProxy: peers.versions.HAProxy ?? 'unknown' };
      return { group: 'ipvs', rows: [...packets, ...whole], limits, peers: versions };
    } finally {
      rmSync(exchange, { recursive: true, force: true });
    }
  },
};

/** What it printed. */
async function runCounting(image: Image, exchange: string, script: string): Promise<string> {
  const all = `
    ${installPackages(image)}
    export FAIRLEAD_CONNECTIONS=${connections}
    mkdir -p /run/netns; mount -t tmpfs none /run/netns
    ${script}`;
  const how = { exchange, timeoutMs: limitMs, memoryMb, countsInstructions: true };
  const { status, stdout, stderr } = await runInMachine(image, all, how);
  if (status !== 0) throw new Error(`the emulated machine ended with status ${status}: ${stderr}${stdout}`);
  return stdout;
}

/** Node's own other threads would be counted too. */
function shootingScript(effort: Effort): string {
  const script = join(root, 'build/bench/bench/ipvs/xdp.js');
  return `node --single-threaded ${script} '${JSON.stringify({ ...effort, connections })}'`;
}

/** Linked statically: the machine may have another C library. */
function compile(name: string, folder: string): void {
  const source = join(root, `bench/ipvs/${name}.c`);
  const words = ['-O2', '-Wall', '-Werror', '-static', '-D_GNU_SOURCE', source, '-o', join(folder, name)];
  for (const compiler of ['clang-16', 'clang', 'cc']) {
    const { status, stderr, error } = spawnSync(compiler, words, { encoding: 'utf8' });
    if (status === 0) return;
    if (error === undefined) throw new Error(stderr);
  }
  throw new Error('expected a C compiler to be installed');
}
