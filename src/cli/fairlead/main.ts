// The fairlead command: what ipvsadm has no word for.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { Hook } from '../../dataplane/choose.ts';
import { parseConnections } from '../../dataplane/sizes.ts';
import type { Endpoint } from '../../model/director.ts';
import { parseEndpoint } from '../../model/endpoint.ts';
import { FairleadError } from '../../model/error.ts';
import { parseCount, parseDuration, parseRealServer, parseService, parseWeight } from './daemon/names.ts';
import { parseTarget, type Target } from './endpoints.ts';
import type { Io } from './io.ts';
import type { Output } from './settings.ts';
import { version } from './version.ts';

const usageStatus = 2;
const failureStatus = 1;
/** As of `terraform plan`. */
const changesStatus = 2;

/** Returns the exit status; rejects only for what is a bug. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let status = 0;
  const program = describe(io, (result) => {
    status = result;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageStatus;
    if (!(error instanceof FairleadError)) throw error;
    io.stderr.write(`fairlead: ${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`);
    return failureStatus;
  }
}

/** Each command's code is loaded when it is asked for: most of what a command line takes is its start. */
function describe(io: Io, finish: (status: number) => void): Command {
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
      const { showStatus } = await import('./status.ts');
      showStatus(io.stdout, output);
    });
  program
    .command('list')
    .description('services, their real servers and their counters')
    .addOption(format(['table', 'json', 'yaml']))
    .action(async ({ output }: { output: 'table' | 'json' | 'yaml' }) => {
      const { showList } = await import('./list.ts');
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
      const { attachAll } = await import('./attach.ts');
      attachAll(io, interfaces, hook, connections);
    });
  program
    .command('detach')
    .description('forget all services and connections, and leave the kernel as it was')
    .action(async () => {
      const { detachAll } = await import('./attach.ts');
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
        const { showTrace } = await import('./trace.ts');
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
      const { parseFile, parseRequest, runSettings } = await import('./settings.ts');
      if (file !== undefined && words.length > 0) command.error('error: expected either a file or settings');
      const request = await asUsage(command, () => (file === undefined ? parseRequest(words) : parseFile(file)));
      await runSettings(io, request, output);
    });
  program
    .command('run')
    .description('the daemon: holds what a file declares and checks the health of real servers; SIGHUP reads it again')
    .requiredOption('-c, --config <file>', 'YAML')
    .action(async ({ config }: { config: string }) => {
      const { runDaemon } = await import('./daemon/run.ts');
      await runDaemon(config);
    });
  addOperatorCommands(program, io);
  program
    .command('doctor')
    .description("what is wrong with this director or real server, or a client's way to a VIP, and what mends it")
    .argument('[arguments...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (_: unknown, __: unknown, command: Command) => {
      const { runDoctor } = await import('../../doctor/main.ts');
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
      const { runRealserver } = await import('../../realserver/main.ts');
      finish(await runRealserver(command.args, io));
    });
  return program;
}

function addConfigCommands(program: Command, io: Io, finish: (status: number) => void): void {
  program
    .command('check')
    .description('whether a configuration is right: every error with its line and column, and nothing changes')
    .argument('<file>', 'YAML; - is standard input')
    .addOption(format(['table', 'json']))
    .action(async (file: string, { output }: { output: 'table' | 'json' }) => {
      const { checkFile } = await import('./config/check.ts');
      if (!checkFile(io, file, output)) finish(failureStatus);
    });
  program
    .command('plan')
    .description('what apply would change, line by line: + comes, - goes, ~ becomes another; nothing changes')
    .argument('<file>', 'YAML; - is standard input')
    .addOption(format(['table', 'json']))
    .option('--no-prune', 'what was declared before and is no more stays')
    .option('--detailed-exitcode', 'exit with 2 when there is something to change')
    .action(async (file: string, options: PlanOptions) => {
      const { planFile } = await import('./config/apply.ts');
      if (planFile(io, file, options) && options.detailedExitcode) finish(changesStatus);
    });
  program
    .command('apply')
    .description('make it so, all or nothing; what does not change is not touched, and what ipvsadm added stays')
    .argument('<file>', 'YAML; - is standard input')
    .addOption(format(['table', 'json']))
    .option('--no-prune', 'what was declared before and is no more stays')
    .action(async (file: string, options: PlanOptions) => {
      const { applyFile } = await import('./config/apply.ts');
      await applyFile(io, file, options);
    });
}

function addImportCommands(program: Command, io: Io): void {
  const commands = program
    .command('import')
    .description(
      "another program's configuration as YAML on stdout; what it could not carry over is on stderr, by line",
    );
  commands
    .command('ipvsadm')
    .description("what 'ipvsadm -S' or 'ipvsadm -S -n' wrote")
    .argument('<file>', '- is standard input')
    .action(async (file: string) => (await import('./config/import.ts')).importIpvsadmFile(io, file));
  commands
    .command('keepalived')
    .description('what a keepalived.conf says of LVS: virtual servers, real servers and their checkers')
    .argument('<file>', '- is standard input')
    .option(
      '-i, --config-id <name>',
      "what lines that begin with @ are for, as keepalived's; by default this host's name",
    )
    .action(async (file: string, { configId }: { configId?: string }) =>
      (await import('./config/import.ts')).importKeepalivedFile(io, file, configId),
    );
}

interface PlanOptions {
  readonly output: 'table' | 'json';
  readonly prune: boolean;
  readonly detailedExitcode?: boolean;
}

/** What the daemon heeds until it is lifted, and what it tells. */
function addOperatorCommands(program: Command, io: Io): void {
  const ofDestination = (parent: Command, name: string, description: string): Command =>
    parent
      .command(name)
      .description(description)
      .argument('<service>', 'VIP:PORT/tcp, /udp or /sctp, or mark/NUMBER', usage(parseService))
      .argument('<destination>', 'RIP:PORT', usage(parseRealServer))
      .option('--why <text>', 'for fairlead log', '');
  ofDestination(program, 'drain', 'no new connections; wait until those of now are gone, then remove it')
    .option(
      '--deadline <duration>',
      'remove it after so long although connections are left: 30s, 5m',
      usage(parseDuration),
    )
    .option('--no-wait', 'do not wait for it')
    .action(
      async (service: string, destination: string, options: { why: string; deadline?: number; wait: boolean }) => {
        const { drain } = await import('./daemon/override.ts');
        const { why, deadline, wait } = options;
        await drain(
          io,
          { service, destination },
          { why, isAwaited: wait, ...(deadline !== undefined && { deadlineMs: deadline }) },
        );
      },
    );
  ofDestination(program, 'disable', 'no new connections until it is enabled').action(
    async (service: string, destination: string, { why }: { why: string }) =>
      (await import('./daemon/override.ts')).disable({ service, destination }, why),
  );
  ofDestination(program, 'enable', 'lift what drain, disable or set weight said').action(
    async (service: string, destination: string, { why }: { why: string }) =>
      (await import('./daemon/override.ts')).enable({ service, destination }, why),
  );
  const set = program.command('set').description('in place of what is declared');
  set
    .command('weight')
    .description('until it is enabled')
    .argument('<service>', 'VIP:PORT/tcp, /udp or /sctp, or mark/NUMBER', usage(parseService))
    .argument('<destination>', 'RIP:PORT', usage(parseRealServer))
    .argument('<weight>', '0 quiesces', usage(parseWeight))
    .option('--why <text>', 'for fairlead log', '')
    .action(async (service: string, destination: string, weight: number, { why }: { why: string }) =>
      (await import('./daemon/override.ts')).setWeight({ service, destination }, weight, why),
    );
  program
    .command('get')
    .description('how what is declared stands: health, weights, connections, and what operators said')
    .addOption(format(['table', 'json']))
    .action(async ({ output }: { output: 'table' | 'json' }) =>
      (await import('./daemon/show.ts')).showStanding(io, output),
    );
  program
    .command('log')
    .description('what happened, who wanted it, and why')
    .option('-n, --lines <number>', 'the last so many', usage(parseCount), 50)
    .addOption(format(['table', 'json']))
    .action(async ({ lines, output }: { lines: number; output: 'table' | 'json' }) =>
      (await import('./daemon/show.ts')).showLog(io, lines, output),
    );
}

function addMarkCommands(program: Command, io: Io): void {
  const mark = program
    .command('mark')
    .description("rules that give packets marks, in iptables' words: packets come before netfilter could do it");
  const withRule = (
    name: string,
    description: string,
    run: (marks: typeof import('./marks/command.ts'), words: readonly string[]) => void,
  ): void => {
    mark
      .command(name)
      .description(description)
      .argument('[rule...]', '-p tcp -s PREFIX -d VIP --dports 80,443 -i INTERFACE --mark 1/0xf --set-mark 7')
      .allowUnknownOption()
      .passThroughOptions()
      .action(async (_: unknown, __: unknown, command: Command) =>
        run(await import('./marks/command.ts'), command.args),
      );
  };
  withRule('add', 'behind the others: MATCHES --set-mark 7, --set-xmark 1/0xf, or -j ACCEPT', (marks, words) =>
    marks.addRule(io, words),
  );
  withRule('insert', 'before the others, or before the one whose NUMBER comes first', (marks, words) =>
    marks.insertRuleAt(io, words),
  );
  withRule('delete', 'by its NUMBER, or as it was added', (marks, words) => marks.removeRule(io, words));
  mark
    .command('flush')
    .description('delete all rules')
    .action(async () => (await import('./marks/command.ts')).flushRules(io));
  mark
    .command('import')
    .description('put the rules of iptables-save, ip6tables-save or nft list ruleset in the place of those here')
    .argument('<file>', '- for standard input')
    .option('-n, --noflush', 'keep those here, before them')
    .action(async (file: string, { noflush = false }: { noflush?: boolean }) =>
      (await import('./marks/command.ts')).importRules(io, file, noflush),
    );
  mark
    .command('list')
    .description('the rules in their order')
    .addOption(format(['table', 'json', 'yaml']))
    .action(async ({ output }: { output: 'table' | 'json' | 'yaml' }) =>
      (await import('./marks/command.ts')).listRules(io, output),
    );
}

function format(choices: readonly string[]): Option {
  return new Option('-o, --output <format>', 'how to print it').choices(choices).default(choices[0]);
}

async function asUsage<Value>(command: Command, parse: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await parse();
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return command.error(`error: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`);
  }
}

/** What can't be read is a mistake of the command line. */
function usage<Value>(parse: (text: string) => Value): (text: string) => Value {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw error instanceof FairleadError ? new InvalidArgumentError(error.message) : error;
    }
  };
}
