// The commands that read another program's configuration.
import type { Command } from 'commander';
import type { Io } from '../io.ts';

export function addImportCommands(program: Command, io: Io): void {
  const commands = program
    .command('import')
    .description(
      "another program's configuration as YAML on stdout; what it could not carry over is on stderr, by line",
    );
  commands
    .command('ipvsadm')
    .description("what 'ipvsadm -S' or 'ipvsadm -S -n' wrote")
    .argument('<file>', '- is standard input')
    .action(async (file: string) => (await import('../config/import.ts')).importIpvsadmFile(io, file));
  commands
    .command('keepalived')
    .description('what a keepalived.conf says of LVS: virtual servers, real servers and their checkers')
    .argument('<file>', '- is standard input')
    .option(
      '-i, --config-id <name>',
      "what lines that begin with @ are for, as keepalived's; by default this host's name",
    )
    .action(async (file: string, { configId }: { configId?: string }) =>
      (await import('../config/import.ts')).importKeepalivedFile(io, file, configId),
    );
}
