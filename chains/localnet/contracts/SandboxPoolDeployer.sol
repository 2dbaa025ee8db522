// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.26;

/// Creates PancakeSwap V3's pools in the place of its own deployer, of which no package has the
/// bytecode: the same interface, the same CREATE2 salt, the pool's real creation code, which is the
/// code of the contract `pool`.
contract SandboxPoolDeployer {
    struct Parameters {
        address factory;
        address token0;
        address token1;
        uint24 fee;
        int24 tickSpacing;
    }

    Parameters public parameters;
    address private immutable POOL;

    constructor(address pool) {
        POOL = pool;
    }

    function deploy(address factory, address token0, address token1, uint24 fee, int24 tickSpacing)
        external
        returns (address pool)
    {
        parameters = Parameters(factory, token0, token1, fee, tickSpacing);
        bytes memory code = POOL.code;
        bytes32 salt = keccak256(abi.encode(token0, token1, fee));
        assembly {
            pool := create2(0, add(code, 32), mload(code), salt)
        }
        require(pool != address(0), "the pool was not created");
        delete parameters;
    }
}
