import type { CliCommand } from '../command.js'

/** `wolffia logout`: forgets the password of a registry. */
export const command: CliCommand = {
  usage: '[SERVER]',
  arity: [0, 1],
  configure() {},
  async run([server = 'docker.io']) {
    const { logout, registryName } = await import('../../engine/logins.js')
    const registry = registryName(server)
    const shown = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry
    if (await logout(registry)) process.stdout.write(`Removing login credentials for ${shown}\n`)
    else process.stdout.write(`Not logged in to ${shown}\n`)
    return 0
  },
}
