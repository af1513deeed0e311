/** The names of our own runtime: `runc` is what clients send when they mean "the ordinary one". */
export const ownRuntimes: readonly string[] = ['runc', 'io.containerd.runc.v2'];
