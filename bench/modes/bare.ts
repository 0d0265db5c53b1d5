import { join } from 'node:path'
import { placed } from '../place.js'

/** Nothing: the program is a child of the driver. */
export const bare = placed({
  name: 'bare',
  summary: 'no wall: posix_spawn in the driver',
  async place(workbench) {
    const root = await workbench.rootDirectory()
    return {
      driver: await workbench.driver(),
      command: async ([program = '', ...words]) => [join(root, program), ...words],
      writable: await workbench.directoryOf('bare'),
      containers: 'a bare process is no container',
    }
  },
})
