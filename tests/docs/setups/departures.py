class Process:
    async def wait(self) -> int:
        return 0


proc = Process()
