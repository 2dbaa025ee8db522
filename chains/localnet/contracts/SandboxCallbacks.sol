// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.26;

/// Lets a contract of Uniswap V3's periphery serve PancakeSwap V3's pools, which differ in the names
/// of their callbacks: it runs the contract's code as its own, and translates these names.
contract SandboxCallbacks {
    address private immutable TARGET;

    /// `slot` and `value`: what the contract's constructor would have stored.
    constructor(address target, uint256 slot, uint256 value) {
        TARGET = target;
        assembly {
            sstore(slot, value)
        }
    }

    receive() external payable {
        run("");
    }

    fallback() external payable {
        bytes memory data = msg.data;
        // pancakeV3SwapCallback(int256,int256,bytes) and pancakeV3MintCallback(uint256,uint256,bytes)
        if (msg.sig == 0x23a69e75) data = renamed(0xfa461e33);
        if (msg.sig == 0x99eee9d0) data = renamed(0xd3487997);
        run(data);
    }

    function renamed(bytes4 name) private pure returns (bytes memory) {
        return bytes.concat(name, msg.data[4:]);
    }

    function run(bytes memory data) private {
        (bool success, bytes memory answer) = TARGET.delegatecall(data);
        assembly {
            switch success
            case 0 { revert(add(answer, 32), mload(answer)) }
            default { return(add(answer, 32), mload(answer)) }
        }
    }
}
