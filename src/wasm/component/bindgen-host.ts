/**
 * What jco's transpiler, itself a component, is linked with in place of the `@bytecodealliance/preview2-shim` that it was published for: nothing of
 * the host's. It is a function of bytes; what it would write or open is a fault.
 */
const refuse = (): never => {
  throw new Error('the transpiler asked for something of the host')
}

class InputStream {}
class Pollable {}
class OutputStream {
  checkWrite(): bigint {
    return 65_536n
  }
  write(): void {}
  blockingWriteAndFlush(): void {}
  blockingFlush(): void {}
}
class Descriptor {}
class DirectoryEntryStream {}
class StreamError {}
class TerminalInput {}
class TerminalOutput {}

export const environment = { getEnvironment: () => [] }
export const exit = { exit: refuse }
export const stdin = { getStdin: () => new InputStream() }
export const stdout = { getStdout: () => new OutputStream() }
export const stderr = { getStderr: () => new OutputStream() }
export const terminalInput = { TerminalInput }
export const terminalOutput = { TerminalOutput }
export const terminalStdin = { getTerminalStdin: () => undefined }
export const terminalStdout = { getTerminalStdout: () => undefined }
export const terminalStderr = { getTerminalStderr: () => undefined }
export const preopens = { getDirectories: () => [] }
export const types = { Descriptor, DirectoryEntryStream, filesystemErrorCode: () => undefined }
export const error = { Error: StreamError }
export const poll = { Pollable }
export const streams = { InputStream, OutputStream }
/** Seeds of its hash tables: always the same, so that what it makes of a component is too. */
export const random = { getRandomBytes: (length: bigint) => new Uint8Array(Number(length)) }
