// Every command of fairlead: its words, and the code that is loaded when it is asked for.
import { Command, Option } from 'commander';
import type { Hook } from '../../../dataplane/choose.ts';
import { parseConnections } from '../../../dataplane/sizes.ts';
import type { Endpoint } from '../../../model/director.ts';
import { parseEndpoint } from '../../../model/endpoint.ts';
import { parseTarget, type Target } from '../endpoints.ts';
import type { Io } from '../io.ts';
import type { Output } from '../settings.ts';
import { version } from '../version.ts';
import { addConfigCommands } from './config.ts';
import { addImportCommands } from './import.ts';
import { addLookCommands } from './look.ts';
import { addMarkCommands } from './marks.ts';
import { addOperatorCommands } from './operate.ts';
import { addShellCommands } from './shell.ts';
import { asUsage, format, usage } from './words.ts';

/** Each command's code is loaded when it is asked for: most of what a command line takes is its start. */
export function describe(io: Io, finish: (status: number) => void): Command {
  const program = new Command('fairlead')
    .description(
      "Linux Virtual Server for today's kernels. Services are defined with ipvsadm, or in a file: see check, plan and apply.",
    )
    .version(`fairlead v${version}`, '-v, --version')
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) });
  program
    .command('status')
    .description('what is attached where, how full the tables are, why packets were not forwarded')
    .addOption(format(['table', 'json']))
    .action(async ({ output }: { output: 'table' | 'json' }) => {
      const { showStatus } = await import('../status.ts');
      showStatus(io.stdout, output);
    });
  program
    .command('list')
    .description('services, their real servers and their counters')
    .addOption(format(['table', 'json', 'yaml']))
    .action(async ({ output }: { output: 'table' | 'json' | 'yaml' }) => {
      const { showList } = await import('../list.ts');
      await showList(io.stdout, output);
    });
  program
    .command('attach')
    .description('take packets from interfaces, before there is a service or from others than by default')
    .argument('[interface...]', 'by default all that are Ethernet-like')
    .addOption(new Option('--hook <hook>', 'where in the kernel').choices(['auto', 'xdp', 'tc']).default('auto'))
    .option(
      '--connections <number>',
      'how many the table is made for; only when nothing is attached yet',
      usage((text) => parseConnections('--connections', text)),
    )
    .action(async (interfaces: string[], { hook, connections }: { hook: Hook; connections?: number }) => {
      const { attachAll } = await import('../attach.ts');
      attachAll(io, interfaces, hook, connections);
    });
  program
    .command('detach')
    .description('forget all services and connections, and leave the kernel as it was')
    .action(async () => {
      const { detachAll } = await import('../attach.ts');
      detachAll(io);
    });
  program
    .command('trace')
    .description('what the director would do with a packet, step by step; nothing is sent and nothing changes')
    .argument('<client>', 'CIP:PORT', usage(parseEndpoint))
    .argument('<service>', 'VIP:PORT/tcp or VIP:PORT/udp', usage(parseTarget))
    .option('-i, --in-interface <name>', 'where it comes in, for rules that ask; by default the only one attached')
    .addOption(format(['table', 'json']))
    .action(
      async (
        source: Endpoint,
        target: Target,
        { output, inInterface }: { output: 'table' | 'json'; inInterface?: string },
      ) => {
        const { showTrace } = await import('../trace.ts');
        showTrace(io.stdout, { source, ...target }, output, inInterface);
      },
    );
  addConfigCommands(program, io, finish);
  addImportCommands(program, io);
  addMarkCommands(program, io);
  program
    .command('settings')
    .description('what IPVS has under net.ipv4.vs: shows all or the named ones, or sets them, all or none')
    .argument('[settings...]', 'NAME or NAME=VALUE')
    .option('-f, --file <file>', "set what is in a file as '-o yaml' or '-o json' writes it; - is standard input")
    .addOption(format(['table', 'json', 'yaml']))
    .action(async (words: string[], { output, file }: { output: Output; file?: string }, command: Command) => {
      const { parseFile, parseRequest, runSettings } = await import('../settings.ts');
      if (file !== undefined && words.length > 0) command.error('error: expected either a file or settings');
      const request = await asUsage(command, () => (file === undefined ? parseRequest(words) : parseFile(file)));
      await runSettings(io, request, output);
    });
  program
    .command('run')
    .description('the daemon: holds what a file declares and checks the health of real servers; SIGHUP reads it again')
    .requiredOption('-c, --config <file>', 'YAML')
    .action(async ({ config }: { config: string }) => {
      const { runDaemon } = await import('../daemon/run.ts');
      await runDaemon(config);
    });
  addOperatorCommands(program, io);
  addLookCommands(program, io);
  program
    .command('doctor')
    .description("what is wrong with this director or real server, or a client's way to a VIP, and what mends it")
    .argument('[arguments...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (_: unknown, __: unknown, command: Command) => {
      const { runDoctor } = await import('../../../doctor/main.ts');
      finish(await runDoctor(command.args, io));
    });
  program
    .command('realserver')
    .description('make this machine a real server, or undo it')
    .argument('[arguments...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (_: unknown, __: unknown, command: Command) => {
      const { runRealserver } = await import('../../../realserver/main.ts');
      finish(await runRealserver(command.args, io));
    });
  addShellCommands(program, io);
  return program;
}
