// A network namespace for one test: an own name, its interfaces, and work done inside of it.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { withNetns } from '../../src/kernel/namespace.ts';

export interface TestNamespace extends Disposable {
  readonly name: string;
  /** Not for asynchronous work. */
  run<T>(work: () => T): T;
  ip(...words: readonly string[]): string;
  /** What a command prints that runs in it. */
  output(command: string, ...words: readonly string[]): string;
}

/** With a pair of veths, v0 and v1, both inside. */
export function testNamespace(): TestNamespace {
  const name = `fairlead-test-${process.pid}-${randomBytes(3).toString('hex')}`;
  const run = (command: string, words: readonly string[]): string => execFileSync(command, words, { encoding: 'utf8' });
  run('ip', ['netns', 'add', name]);
  const namespace: TestNamespace = {
    name,
    run: (work) => withNetns(`/run/netns/${name}`, work),
    ip: (...words) => run('ip', ['-n', name, ...words]),
    output: (command, ...words) => run('ip', ['netns', 'exec', name, command, ...words]),
    [Symbol.dispose]: () => void run('ip', ['netns', 'del', name]),
  };
  namespace.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  return namespace;
}
