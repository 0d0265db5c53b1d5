import type { Context } from './context.js'
import { WasiError } from './errno.js'

/** `sock_*`: no guest has a socket, so a descriptor is either not open or not a socket. */
export function sockFunctions({ table }: Context) {
  const notASocket = (fd: number): void => {
    table.get(fd)
    throw new WasiError('ENOTSOCK')
  }
  return {
    sock_accept: (fd: number, _flags: number, _opened: number): void => notASocket(fd),
    sock_recv: (fd: number, _iovs: number, _count: number, _flags: number, _received: number, _outFlags: number): void => notASocket(fd),
    sock_send: (fd: number, _iovs: number, _count: number, _flags: number, _sent: number): void => notASocket(fd),
    sock_shutdown: (fd: number, _how: number): void => notASocket(fd),
  }
}
