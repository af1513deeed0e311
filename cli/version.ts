/** The version of this program; the bundle takes it from package.json. */
export const clientVersion: string = process.env['TSDOCKER_CLI_VERSION'] ?? 'dev';
