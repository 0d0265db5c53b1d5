/**
 * A process that transpiles one component and ends: what comes at the descriptor of the start message is the component, what goes out at that of control
 * is what it was transpiled to. It ends with 0 when that is whole. It is given nothing else, has no files and never runs a guest, so that what it says is a
 * function of the component alone; that is why it may be kept.
 */
import { readFileSync } from 'node:fs'
import { assertCommand, readComponent } from '../component/component-binary.js'
import { encodeTranspiled } from '../component/transpiled-bytes.js'
import { writeAll } from './output.js'
import { CONTROL_DESCRIPTOR, START_DESCRIPTOR } from './protocol.js'
import { transpileApart } from './transpiling.js'

async function transpileOnce(): Promise<void> {
  const component = readFileSync(START_DESCRIPTOR)
  assertCommand(readComponent(component))
  for (const part of encodeTranspiled(await transpileApart(component))) writeAll(CONTROL_DESCRIPTOR, part)
}

// Why one cannot be transpiled the sandbox says that is to run it.
transpileOnce().then(
  () => process.exit(0),
  () => process.exit(1),
)
