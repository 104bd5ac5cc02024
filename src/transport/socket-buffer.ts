/**
 * Bytes that a socket takes before it tells its writer to wait. With Node's 64 KiB each message of Noise, which has 64 KiB, would wait for the
 * one before it to leave, and what it comes from be paused in between.
 */
export const SOCKET_BUFFER_BYTES: number = 256 * 1024
