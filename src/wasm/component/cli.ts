import { toUtf8 } from '../../fs/names.js'
import { GuestExit } from '../preview1/host.js'
import type { Resource } from './resources.js'
import { StandardInput, StandardOutput } from './streams.js'
import { record } from './values.js'
import type { Wasi } from './wasi.js'

class TerminalInput implements Resource {
  readonly resource = 'TerminalInput'
}

class TerminalOutput implements Resource {
  readonly resource = 'TerminalOutput'
}

/** Functions of `wasi:cli`. */
export function cliInterfaces({ host, resources, streams: [input, output, errors], terminal, cwd }: Wasi) {
  const variables = host.env.map((each): [string, string] => {
    const equals = each.indexOf('=')
    return [toUtf8(each.slice(0, equals)), toUtf8(each.slice(equals + 1))]
  })
  const terminalInput = () => (terminal ? resources.add(new TerminalInput()) : undefined)
  const terminalOutput = () => (terminal ? resources.add(new TerminalOutput()) : undefined)
  return {
    'wasi:cli/environment': {
      getEnvironment: () => variables,
      getArguments: () => host.args.map(toUtf8),
      initialCwd: () => cwd,
    },
    'wasi:cli/exit': {
      exit(status: unknown): never {
        throw new GuestExit(record(status).tag === 'ok' ? 0 : 1)
      },
      exitWithCode(code: unknown): never {
        throw new GuestExit(Number(code) & 255)
      },
    },
    'wasi:cli/stdin': { getStdin: () => resources.add(new StandardInput(input)) },
    'wasi:cli/stdout': { getStdout: () => resources.add(new StandardOutput((bytes) => output.write(bytes))) },
    'wasi:cli/stderr': { getStderr: () => resources.add(new StandardOutput((bytes) => errors.write(bytes))) },
    'wasi:cli/terminal-input': { TerminalInput: {} },
    'wasi:cli/terminal-output': { TerminalOutput: {} },
    'wasi:cli/terminal-stdin': { getTerminalStdin: terminalInput },
    'wasi:cli/terminal-stdout': { getTerminalStdout: terminalOutput },
    'wasi:cli/terminal-stderr': { getTerminalStderr: terminalOutput },
  }
}
