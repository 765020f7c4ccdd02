public import GodwitCrypto
public import GodwitProtocol

/// The devices of one user: their list, which the identity key signs, and what they tell each other.
extension Device {
    /// Takes this device into the user's list, after `current`, and keeps the new list.
    ///
    /// - Parameters:
    ///   - current: the list that the home node has.
    ///   - key: the identity key.
    /// - Returns: what to publish; nothing has been sent.
    /// - Throws: `ProtocolError` 1000 for a list or a key that is not this user's, 1002 for a list with 16 devices.
    public func join(_ current: DeviceList, signedBy key: SigningKey) async throws -> Publication {
        let entry = try await store.read { transaction in
            try transaction.ownDeviceList().devices.first { $0.device == transaction.context.device }
        }
        guard let entry else { throw ProtocolError(.internalError, "The device's store has no entry of its own.") }
        let others = current.devices.filter { $0.device != deviceID }
        guard others.count < DeviceList.devicesMax else {
            throw ProtocolError(
                .insufficientPermissions, "The user has 16 devices, which is the most there can be.",
                hint: "Remove one first: `godwit device remove`.", details: ["limit": "devices", "value": 16])
        }
        return try await adopt(others + [entry], after: current, signedBy: key)
    }

    /// Takes a device out of the user's list, after `current`, and keeps the new list: nothing is encrypted for that
    /// device any more.
    ///
    /// - Returns: what to publish; nothing has been sent.
    /// - Throws: `ProtocolError` 2003 for a device that is not in the list, 1002 for this one; as `join`.
    public func remove(
        _ device: DeviceID, from current: DeviceList, signedBy key: SigningKey
    ) async throws -> Publication {
        guard device != deviceID else {
            throw ProtocolError(
                .insufficientPermissions, "A device does not remove itself.", hint: "Do it from another device.")
        }
        guard current.devices.contains(where: { $0.device == device }) else {
            throw ProtocolError(
                .userNotFound, "The user has no such device.", hint: "`godwit device list` shows them.",
                details: ["device": .string(device.text)])
        }
        return try await adopt(current.devices.filter { $0.device != device }, after: current, signedBy: key)
    }

    private func adopt(
        _ devices: [DeviceEntry], after current: DeviceList, signedBy key: SigningKey
    ) async throws -> Publication {
        let identity = store.context.identityFile
        guard current.userID == userID, key.publicKey.bytes == identity.publicKey else {
            throw ProtocolError(
                .invalidCredentials, "The device list or the key is another user's.",
                hint: "Check which identity file was given.")
        }
        try KeyChecks.verify(current, signedBy: identity.publicKey)
        try await store.write { transaction in
            let known = try transaction.ownDeviceList()
            var list: JSONObject = [
                "user_id": .string(identity.userID.text),
                "version": .integer(max(known.version, current.version) + 1),
                "issued": .string(transaction.now.description),
                "devices": .array(devices.map { .object($0.object) }),
            ]
            let revoked = try current.revoked(
                keeping: transaction.revokedStill(in: current, since: known), lacking: devices)
            if !revoked.isEmpty { list["revoked"] = .array(revoked.map { .object($0.object) }) }
            try transaction.introduce(
                identity.userID, publicKey: identity.publicKey,
                list: try DeviceList(key.signed(list, purpose: .deviceList)))
        }
        return try await publication()
    }

    /// The user's devices, as far as this one knows.
    public func devices() async throws -> DeviceList { try await store.read { try $0.ownDeviceList() } }

    /// Asks another device of the user for what it has of conversations. The answer comes in pages, the newest first, and
    /// is marked as synced.
    ///
    /// - Parameters:
    ///   - other: the device to ask; nil: the one that was listed first.
    ///   - since: only messages that were written then or later.
    ///   - limit: the newest so many, 1 to 5,000.
    /// - Returns: the device that is asked.
    /// - Throws: `ProtocolError` 2003 if there is no such device, 2000 for a limit out of range.
    @discardableResult
    public func requestHistory(
        from other: DeviceID? = nil, since: Timestamp? = nil, limit: Int = 500
    ) async throws -> DeviceID {
        guard (1...SyncRequest.limitMax).contains(limit) else {
            throw ProtocolError.malformed(
                "A device is asked for 1 to 5,000 messages.", member: "limit", hint: "Ask again for older ones later.")
        }
        let own = deviceID
        return try await store.write { transaction in
            let others = try transaction.ownDeviceList().devices.map(\.device).filter { $0 != own }
            guard let asked = other ?? others.first, others.contains(asked) else {
                throw ProtocolError(
                    .userNotFound, "The user has no other device of that name.",
                    hint: "`godwit device list` shows them.")
            }
            try transaction.tell(asked, ["sync_request": .object(SyncRequest(since: since, limit: limit).object)])
            return asked
        }
    }
}
