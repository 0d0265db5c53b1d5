import type { Resource } from './resources.js'
import { Failure, Trap } from './trap.js'
import type { Wasi } from './wasi.js'

class Network implements Resource {
  readonly resource = 'Network'
}

/** Functions of `wasi:sockets`, which programs are linked with whether they use them or not: there is no network, and no socket. */
export function socketInterfaces({ resources }: Wasi) {
  const none = () => {
    throw new Failure('not-supported')
  }
  return {
    'wasi:sockets/instance-network': { instanceNetwork: () => resources.add(new Network()) },
    'wasi:sockets/network': { Network: {}, networkErrorCode: () => undefined },
    'wasi:sockets/tcp-create-socket': { createTcpSocket: none },
    'wasi:sockets/udp-create-socket': { createUdpSocket: none },
    'wasi:sockets/tcp': { TcpSocket: {} },
    'wasi:sockets/udp': { UdpSocket: {}, IncomingDatagramStream: {}, OutgoingDatagramStream: {} },
    'wasi:sockets/ip-name-lookup': {
      resolveAddresses(network: unknown) {
        if (resources.get(network, Network).resource !== 'Network') throw new Trap('no network')
        throw new Failure('permanent-resolver-failure')
      },
      ResolveAddressStream: {},
    },
  }
}
