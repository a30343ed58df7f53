// The director at XDP on veths, which takes some care of what is around it.
import { fileURLToPath } from 'node:url';
import { compile } from '../kernel/compile.ts';
import { fairlead, type Host, type Network } from './network.ts';

const source = fileURLToPath(new URL('programs/pass.bpf.c', import.meta.url));

/** Senders finish their sums themselves, for a frame that XDP sends has no device left to do it. */
export async function useXdp({ client, director, realServers, switch: bridges }: Network): Promise<void> {
  using program = compile(source);
  for (const port of ['director-outer', 'director-inner']) {
    await bridges.run('ip', 'link', 'set', port, 'xdp', 'obj', program.path, 'sec', 'xdp');
  }
  await director.run(fairlead, 'attach', 'outer', 'inner', '--hook', 'xdp');
  await Promise.all([client, ...realServers].map((host) => offload(host, 'tx', 'off')));
}

/** On all interfaces of a host. Turning tx on or off takes segmentation with it: the second time each is as asked for. */
export async function offload(host: Host, ...features: readonly string[]): Promise<void> {
  const each = 'for i in outer inner; do test ! -e /proc/sys/net/ipv4/conf/$i || ethtool -K $i "$@"; done';
  await host.run('sh', '-ec', `${each}; ${each}`, 'sh', ...features);
}
