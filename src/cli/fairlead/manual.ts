// fairlead(8), the manual page, made of the commands' own descriptions: roff, as man reads it.
import type { Command, Option } from 'commander';

export function manual(program: Command, version: string): string {
  const lines = [
    `.TH FAIRLEAD 8 "" "fairlead ${version}" "Fairlead"`,
    '.SH NAME',
    'fairlead \\- Linux Virtual Server for today\\(aqs kernels',
    '.SH SYNOPSIS',
    '.B fairlead',
    '.I COMMAND',
    '[\\fIOPTION\\fR...]',
    '.SH DESCRIPTION',
    text(program.description()),
    '.SH COMMANDS',
    ...program.commands.flatMap((command) => describe(command, 'fairlead')),
    '.SH EXIT STATUS',
    '0 it is done; 1 it failed, and nothing has changed; 2 the command line is wrong, or',
    '.B plan --detailed-exitcode',
    'has something to change.',
    '.SH FILES',
    ...item('/etc/fairlead/fairlead.yaml', 'what the packaged service reads'),
    ...item('/run/fairlead/api.sock', "the daemon's API"),
    ...item('/run/fairlead/bpf', 'the pinned programs and maps of each network namespace'),
    '.SH SEE ALSO',
    '.BR ipvsadm (8)',
  ];
  return `${lines.join('\n')}\n`;
}

/** And those within it. */
function describe(command: Command, before: string): readonly string[] {
  const words = `${before} ${command.name()}`;
  const own = command.commands.length === 0 ? describeOne(command, words) : [];
  return [...own, ...command.commands.flatMap((one) => describe(one, words))];
}

function describeOne(command: Command, words: string): readonly string[] {
  const spelling = command.registeredArguments.map((argument) => {
    const name = `\\fI${toRoff(argument.name()).toUpperCase()}\\fR${argument.variadic ? '...' : ''}`;
    return argument.required ? name : `[${name}]`;
  });
  const options = command.options.filter(({ hidden }) => !hidden);
  return [
    '.TP',
    `\\fB${toRoff(words)}\\fR ${[...spelling, ...(options.length > 0 ? ['[\\fIOPTION\\fR...]'] : [])].join(' ')}`,
    text(command.description()),
    ...command.registeredArguments.flatMap((argument) =>
      argument.description === ''
        ? []
        : ['.br', `\\fI${toRoff(argument.name()).toUpperCase()}\\fR: ${text(argument.description)}`],
    ),
    ...(options.length === 0 ? [] : ['.RS', ...options.flatMap(optionItem), '.RE']),
  ];
}

function optionItem({
  flags,
  description,
  argChoices,
  defaultValue,
  defaultValueDescription,
}: Option): readonly string[] {
  const more = [
    ...(argChoices === undefined ? [] : [argChoices.join(', ')]),
    ...(defaultValue === undefined || typeof defaultValue === 'boolean' || defaultValue === ''
      ? []
      : [`${defaultValueDescription ?? String(defaultValue)} if not given`]),
  ];
  return item(flags, more.length === 0 ? description : `${description}: ${more.join('; ')}`);
}

function item(name: string, description: string): readonly string[] {
  return ['.TP', `\\fB${toRoff(name)}\\fR`, text(description)];
}

/** A line of its own, which must not look like a request. */
function text(words: string): string {
  const escaped = toRoff(words);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function toRoff(words: string): string {
  return words.replaceAll('\\', '\\e').replaceAll('-', '\\-');
}
