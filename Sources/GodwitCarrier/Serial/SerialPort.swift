import GodwitLink
import GodwitProtocol

#if canImport(Glibc)
    import Glibc
#endif

/// Opens serial devices: raw, 8 data bits, no parity, one stop bit, no flow control, for this process alone.
enum SerialPort {
    /// - Returns: a descriptor, not blocking, that the caller has to close.
    /// - Throws: `ProtocolError` 3000 with a hint of what to do.
    static func open(_ endpoint: SerialEndpoint) throws(ProtocolError) -> CInt {
        let descriptor = Glibc.open(endpoint.device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(errno, endpoint) }
        do {
            try prepare(descriptor, endpoint)
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func prepare(_ descriptor: CInt, _ endpoint: SerialEndpoint) throws(ProtocolError) {
        guard isatty(descriptor) == 1 else { throw failure(ENOTTY, endpoint) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw failure(errno, endpoint) }
        var settings = termios()
        guard let speed = speed(endpoint.baud), tcgetattr(descriptor, &settings) == 0 else {
            throw failure(errno, endpoint)
        }
        cfmakeraw(&settings)
        settings.c_cflag |= tcflag_t(CLOCAL | CREAD)
        settings.c_cflag &= ~(tcflag_t(CSTOPB) | tcflag_t(PARENB) | tcflag_t(CRTSCTS))
        withUnsafeMutableBytes(of: &settings.c_cc) { characters in
            characters[Int(VMIN)] = 1
            characters[Int(VTIME)] = 0
        }
        guard cfsetspeed(&settings, speed) == 0, tcsetattr(descriptor, TCSANOW, &settings) == 0 else {
            throw failure(errno, endpoint)
        }
        // The call succeeds if any of the settings was taken.
        var taken = termios()
        guard tcgetattr(descriptor, &taken) == 0, cfgetospeed(&taken) == speed, cfgetispeed(&taken) == speed else {
            throw failure(EINVAL, endpoint)
        }
        tcflush(descriptor, TCIOFLUSH)
    }

    private static func speed(_ baud: Int) -> speed_t? {
        let speeds: [Int: Int] = [
            300: Int(B300), 600: Int(B600), 1_200: Int(B1200), 2_400: Int(B2400), 4_800: Int(B4800),
            9_600: Int(B9600), 19_200: Int(B19200), 38_400: Int(B38400), 57_600: Int(B57600),
            115_200: Int(B115200), 230_400: Int(B230400), 460_800: Int(B460800), 921_600: Int(B921600),
        ]
        return speeds[baud].map { speed_t($0) }
    }

    private static func failure(_ code: CInt, _ endpoint: SerialEndpoint) -> ProtocolError {
        let device = endpoint.device
        let hint =
            switch code {
            case ENOENT, ENXIO, ENODEV, EIO: "\(device) is not there. Plug it in, or look for its name in /dev."
            case EACCES, EPERM: "This user may not use \(device). On Debian, add it to the group dialout."
            case EWOULDBLOCK, EBUSY: "Another program holds \(device)."
            case ENOTTY: "\(device) is no serial line."
            case EINVAL: "\(device) does not do \(endpoint.baud) baud."
            default: "\(device) answers with errno \(code)."
            }
        return ProtocolError(.nodeUnreachable, "The serial line cannot be opened.", hint: hint)
    }
}
