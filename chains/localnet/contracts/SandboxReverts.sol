// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.26;

/// Fails in each way in which a contract can fail; tests deploy it.
contract SandboxReverts {
    error Unlucky(uint256 number);

    uint256 public lastBlock;

    function message() external pure {
        require(false, "this went wrong");
    }

    function silent() external pure {
        revert();
    }

    function custom() external pure {
        revert Unlucky(13);
    }

    function overflow(uint256 value) external pure returns (uint256) {
        return value + type(uint256).max;
    }

    function burnAllGas() external pure {
        assembly {
            invalid()
        }
    }

    /// Succeeds alone, and fails behind another call in the same block.
    function oncePerBlock() external {
        require(lastBlock != block.number, "once per block");
        lastBlock = block.number;
    }
}
