import { placed } from '../place.js'

/** Node doing nothing: what every command line written in JavaScript costs before it has done anything. */
export const node = placed({
  name: 'node',
  summary: 'node -e 0',
  async place(workbench) {
    return {
      driver: await workbench.driver(),
      command: async () => [process.execPath, '-e', '0'],
      writable: '/tmp',
      containers: 'it runs no guest',
    }
  },
})
