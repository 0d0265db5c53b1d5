import { EngineError } from '../../errors.js'
import type { CliCommand, CliOptions } from '../command.js'
import { untilAborted } from '../foreground.js'
import { printable } from '../output.js'
import { askLine, askSecret } from '../prompt.js'

const MAXIMUM_PASSWORD_LENGTH = 64 * 1024

/** `wolffia login`: tries a password at its registry and keeps it where docker, podman and skopeo find it too. */
export const command: CliCommand = {
  usage: '[SERVER]',
  arity: [0, 1],
  configure(parser) {
    parser
      .option('-u, --username <name>', 'name at the registry')
      .option('-p, --password <password>', 'password or token; anyone on this machine may see it: better --password-stdin')
      .option('--password-stdin', 'read the password from stdin')
      .addHelpText(
        'after',
        '\nSERVER is docker.io unless said. The password goes to the credential helper that ~/.docker/config.json names, else into that file\n' +
          '($DOCKER_CONFIG/config.json or $REGISTRY_AUTH_FILE where they are set).',
      )
  },
  async run([server = 'docker.io'], options) {
    const { login, registryName } = await import('../../engine/logins.js')
    const registry = registryName(server)
    const { username, password } = await credentialsOf(registry, options)
    return untilAborted(async (signals) => {
      const { helper, path } = await login({ registry, username, password, signal: signals.signal })
      if (helper === null)
        process.stderr.write(
          `\nWARNING! Your credentials are stored unencrypted in '${printable(path)}'.\n` +
            `Configure a credential helper to remove this warning: credsStore in that file.\n\n`,
        )
      process.stdout.write('Login Succeeded\n')
      return 0
    })
  },
}

async function credentialsOf(registry: string, options: CliOptions): Promise<{ readonly username: string; readonly password: string }> {
  const given = (name: string) => (options[name] === undefined ? undefined : String(options[name]))
  const fromStdin = options.passwordStdin === true
  if (fromStdin && given('password') !== undefined)
    throw new EngineError('INVALID_ARGUMENT', 'conflicting options: cannot specify both --password and --password-stdin')
  if (fromStdin && given('username') === undefined)
    throw new EngineError('INVALID_ARGUMENT', 'the --password-stdin option requires --username to be set')
  if (given('password') !== undefined) process.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n')
  const isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true
  if (!fromStdin && !isInteractive && (given('username') === undefined || given('password') === undefined))
    throw new EngineError('INVALID_ARGUMENT', 'cannot perform an interactive login from a non-TTY device', {
      hint: `Pipe the password in: wolffia login -u NAME --password-stdin ${registry} <FILE`,
    })
  const username = given('username') ?? answered(await askLine('Username: '))
  const password = fromStdin ? await passwordFromStdin() : (given('password') ?? answered(await askSecret('Password: ')))
  return { username, password }
}

function answered(answer: string | null): string {
  if (answer === null) throw new EngineError('ABORTED', 'nothing was typed')
  return answer
}

/** As docker: without the line's end. */
async function passwordFromStdin(): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const piece of process.stdin) {
    text += piece
    if (text.length > MAXIMUM_PASSWORD_LENGTH)
      throw new EngineError('LIMIT_EXCEEDED', `a password has at most ${MAXIMUM_PASSWORD_LENGTH} characters`)
  }
  return text.replace(/[\r\n]+$/, '')
}
