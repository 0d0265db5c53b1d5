import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'

/** `wolffia port`: ports that lead into a container. None can be published yet, so that there are none. */
export const command: CliCommand = {
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  arity: [1, 2],
  configure() {},
  async run([name = '', port]) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    await engine.containers.get(name)
    if (port === undefined) return 0
    const [number = '', protocol = 'tcp'] = port.split('/')
    if (!/^\d+$/.test(number) || Number(number) > 65_535)
      throw new EngineError('INVALID_ARGUMENT', `invalid port: ${port}`, {
        hint: 'It is a number, with or without a protocol: 80, 53/udp.',
      })
    throw new EngineError('INVALID_ARGUMENT', `no public port '${number}/${protocol}' published for ${name}`, {
      hint: 'No port is published yet; --network host lets a program listen on this machine.',
    })
  },
}
